# What deploy/demo reads out of SyncResults, scenes and dead letters, and how it lays it out.
# Rows are arrays whose columns stand in the headings below; story/expected.json has the same rows.

def result_heading:
  ["batch", "client", "strategy", "try", "synced", "conflicts", "failed", "waiting", "what happened"];
def element_heading: ["element", "type", "x", "y", "z", "content", "version"];

# ---- Layout --------------------------------------------------------------------------------

def pad($width; $right):
  (" " * ($width - length) // "") as $blank | if $right then $blank + . else . + $blank end;

# A row whose last cell has several parts becomes a row per part.
def split_last:
  (.[-1] | split("; ")) as $parts
  | (.[:-1] + [$parts[0] // ""]), ($parts[1:][] as $part | map("") [:-1] + [$part]);

# Lines of a table; columns of numbers are set to the right.
def table($heading; $rows):
  if $rows == [] then empty else
    [range($heading | length) | . as $i
     | {width: ([$heading[$i], ($rows[] | .[$i])] | map(tostring | length) | max),
        right: any($rows[]; .[$i] | type == "number")}] as $columns
    | ($heading, $rows[])
    | [to_entries[] | .key as $i | .value | tostring | pad($columns[$i].width; $columns[$i].right)]
    | "    " + join("  ") | sub(" +$"; "")
  end;

# ---- Results -------------------------------------------------------------------------------

# The id of the element that an operation is about, in either spelling.
def operation_id:
  (if has("op") then . else .[keys_unsorted[0]] end) | .id // .element.id // "?";

def reason_words:
  if type == "object" then
    .StaleTimestamp | "stale by \((.local - .remote) / 1000) s"
  else
    {
      "ElementNotFound": "not found",
      "ElementAlreadyExists": "exists already",
      "ConcurrentModification": "changed meanwhile"
    }[.] // .
  end;

def conflict_words($result):
  . as $conflict
  | ($result.failed_operations | map(select(.index == $conflict.index))[0]) as $failure
  | ($conflict.operation // $failure.operation // {"op": "?"} | operation_id)
    + ": " + ($conflict.reason | reason_words)
    + (if $conflict.resolved | not then ", will retry"
       elif $failure.retryable then ", gave up"
       elif .reason == "ElementNotFound" and .resolution == "keep_remote" then ", found on a retry"
       else {"keep_local": ", kept local", "keep_remote": ", took remote", "merge": ", merged"}
            [$conflict.resolution]
       end);

# Failures that are no conflicts, by their code.
def failure_words($result):
  .index as $index
  | if any($result.conflicts[]; .index == $index) then empty else .code end;

def what_happened:
  . as $result
  | [(.error_code // empty),
     (.conflicts[]? | conflict_words($result)),
     (.failed_operations[]? | failure_words($result))]
  | join("; ");

def is_duplicate: .headers["scenesync-duplicate"] == "1";

# A record of the results topic, as `scenesync results --headers` prints it, to a row.
def result_row:
  is_duplicate as $again
  | .result
  | [.batch_id, .client_id // "-", .strategy // "-", .attempts, .synced_count, .conflict_count,
     .failed_count, .pending_count, (if $again then "again; " else "" end) + what_happened]
  | .[8] |= rtrimstr("; ");

# A batch's records share a partition, so within a batch the offsets tell the order.
def in_order: sort_by([.result.batch_id, .offset]);

def rows_of_batches($batches):
  map(select(.result.batch_id | IN($batches[]))) | in_order | map(result_row);

def result_table($rows): table(result_heading; [$rows[] | split_last]);

# The burst's results by batch: the kill may have some published twice.
def burst_records($burst): map(select(.result.session_id | IN($burst.scenes[])));
def burst_finals($burst):
  burst_records($burst) | map(.result | select(.final)) | unique_by(.batch_id);
def burst_repeats($burst): (burst_records($burst) | length) - (burst_finals($burst) | length);

def burst_heading: ["scene", "batches", "synced", "conflicts", "failed", "version"];
def burst_rows($burst):
  burst_finals($burst) | group_by(.session_id)
  | map([.[0].session_id, length, (map(.synced_count) | add), (map(.conflict_count) | add),
         (map(.failed_count) | add), (map(.scene_version) | max)]);

# ---- Scenes --------------------------------------------------------------------------------

def element_row:
  .version as $version
  | .element
  | [.id, .kind.type, .transform.x, .transform.y, .transform.z_index,
     (.kind.data | .content // .color // "-"), $version];

# Each scene of the story with its elements; the burst's stand with the burst.
def scene_lines($expected):
  select($expected.scenes[.session_id].elements)
  | "", "  \(.session_id), version \(.version)",
    table(element_heading; .elements | map(element_row));

# ---- Dead letters --------------------------------------------------------------------------

# [session, error code], the session from the record's key.
def letter_row: [.key // "-", .headers["scenesync-error-code"]];

def letter_heading: ["scene", "code", "from", "why"];
def letter_words: letter_row + [.headers["scenesync-source"], (.headers["scenesync-error"] | split("; ")[0])];

# ---- Checks --------------------------------------------------------------------------------

def check($what; $expected; $actual): {what: $what, expected: $expected, actual: $actual};

def check_results($expected; $results):
  ($expected.results | to_entries[]) as $chapter
  | ($results | rows_of_batches($chapter.value | map(.[0]))) as $rows
  | range([$chapter.value, $rows | length] | max)
  | check("chapter \($chapter.key), result \(. + 1)"; $chapter.value[.]; $rows[.]);

def check_burst($burst; $results):
  ($results | burst_finals($burst)) as $finals
  | def total(count): $finals | map(count) | add // 0;
    check("batches of the burst with a result"; $burst.batches; $finals | length),
    check("operations of the burst synced"; $burst.synced; total(.synced_count)),
    check("operations of the burst in conflict"; 0; total(.conflict_count)),
    check("operations of the burst failed"; 0; total(.failed_count)),
    check("attempts of the burst"; $burst.batches; total(.attempts));

def check_scenes($expected; $scenes):
  ($expected.scenes | to_entries[]) as $wanted
  | ($scenes | map(select(.session_id == $wanted.key))[0]) as $scene
  | check("scene \($wanted.key), version"; $wanted.value.version; $scene.version),
    check("scene \($wanted.key), elements"; $wanted.value.element_count; $scene.element_count),
    if $wanted.value.elements then
      check("scene \($wanted.key), what they are"; $wanted.value.elements;
            $scene.elements // [] | map(element_row))
    else empty end;

def check_topics($expected; $topics):
  ($expected.topics | to_entries[]) as $wanted
  | check("records in \($wanted.key)"; $wanted.value; $topics[$wanted.key]);

def checks($expected; $results; $letters; $scenes; $topics):
  check_results($expected; $results),
  check_burst($expected.burst; $results),
  check("dead letters"; $expected.dead_letters; $letters | map(letter_row) | sort),
  check_scenes($expected; $scenes),
  check_topics($expected; $topics);
