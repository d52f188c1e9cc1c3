#!/usr/bin/python3
"""Prints the dashboard: dashboard.py >dashboards/scenesync.json. A test holds the two together."""

import json

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# What the variables at the top of the dashboard choose.
CHOSEN = 'job="$job",instance=~"$instance"'
GREEN, ORANGE, RED = "green", "orange", "red"
AWAY_OR_UP = [{"type": "value", "options": {"0": {"text": "away", "color": RED}, "1": {"text": "up", "color": GREEN}}}]
NO_OR_YES = [{"type": "value", "options": {"0": {"text": "no", "color": RED}, "1": {"text": "yes", "color": GREEN}}}]
PERCENTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


# ---- Expressions ----

def chosen(metric, more=""):
    return "%s{%s%s}" % (metric, CHOSEN, "," + more if more else "")


def per_second(metric, by="", more=""):
    return "sum%s (rate(%s[$__rate_interval]))" % (" by (%s)" % by if by else "", chosen(metric, more))


def increase(metric, window):
    return "sum(increase(%s[%s]))" % (chosen(metric), window)


def percentile(quantile, metric):
    return "histogram_quantile(%s, sum by (le) (rate(%s[$__rate_interval])))" % (quantile, chosen(metric + "_bucket"))


def percentiles(metric):
    return [(percentile(quantile, metric), name) for quantile, name in PERCENTILES]


# ---- Panels: each takes (expression, legend) pairs; no legend is for tables ----

def panel(kind, title, description, size, queries, defaults, options, overrides=(), instant=False, **more):
    targets = []
    for number, (expression, legend) in enumerate(queries):
        target = {"refId": "ABCDEF"[number], "expr": expression}
        target.update({"legendFormat": legend} if legend else {"format": "table"})
        if instant:
            target["instant"] = True
        targets.append(target)
    return dict(more, type=kind, title=title, description=description, datasource=DATASOURCE,
                gridPos={"w": size[0], "h": size[1]}, targets=targets, options=options,
                fieldConfig={"defaults": defaults, "overrides": list(overrides)})


def thresholds(*colours_and_values):
    return {"mode": "absolute", "steps": [{"color": colour, "value": value} for colour, value in colours_and_values]}


def stat(title, description, width, queries, unit, limits, text="value", mappings=()):
    """A number on the colour that says how it is."""
    defaults = {"unit": unit, "color": {"mode": "thresholds"}, "thresholds": limits, "mappings": list(mappings),
                "noValue": "–"}
    if unit == "short":
        defaults["decimals"] = 0  # increase() extrapolates
    options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "graphMode": "none",
               "textMode": text, "justifyMode": "center"}
    return panel("stat", title, description, (width, 4), queries, defaults, options)


def series(title, description, width, queries, unit, stacked=False, logarithmic=False, overrides=(), **limits):
    """Lines over time."""
    custom = {"lineWidth": 1, "fillOpacity": 25 if stacked else 8, "showPoints": "never"}
    if stacked:
        custom["stacking"] = {"mode": "normal"}
    if logarithmic:
        custom["scaleDistribution"] = {"type": "log", "log": 10}
    else:
        limits["min"] = 0
    options = {"legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", title, description, (width, 8), queries, dict(limits, unit=unit, custom=custom),
                 options, overrides)


def field(name, **properties):
    """An override for the series of that name; a_b stands for a.b."""
    return {"matcher": {"id": "byName", "options": name},
            "properties": [{"id": key.replace("_", "."), "value": value} for key, value in properties.items()]}


def fixed(colour):
    return {"mode": "fixed", "fixedColor": colour}


def table(title, description, queries, overrides, transformations):
    return panel("table", title, description, (12, 7), queries, {"noValue": "none"},
                 {"showHeader": True, "cellHeight": "sm"}, overrides, instant=True, transformations=transformations)


# ---- Rows ----

def row_state():
    up = thresholds((RED, None), (GREEN, 1))
    connection = "Away as soon as one worker cannot work with it. Workers wait meanwhile; nothing is lost."
    yield stat("Workers ready", "Of those that Prometheus knows. /readyz of a worker says why it is not.", 4,
               [("sum(%s) or vector(0)" % chosen("scenesync_ready"), "ready"),
                ("count(%s)" % chosen("up"), "known")], "none", up, text="value_and_name")
    for name in ("redis", "kafka"):
        yield stat(name.capitalize(), connection, 2,
                   [("min(%s)" % chosen("scenesync_dependency_up", 'dependency="%s"' % name), name)], "none", up,
                   mappings=AWAY_OR_UP)
    yield stat("Processable lag", "Batches that wait for a worker; retries that are not due yet do not count. More"
               " workers help, up to the number of partitions.", 4,
               [("sum(%s)" % chosen("scenesync_processable_lag"), "records")], "short",
               thresholds((GREEN, None), (ORANGE, 1000), (RED, 10000)))
    yield stat("Result age, p99", "One result in a hundred came later than this after its batch was written to Kafka.",
               4, [(percentile(0.99, "scenesync_result_age_seconds"), "p99")], "s",
               thresholds((GREEN, None), (ORANGE, 5), (RED, 30)))
    yield stat("Dead letters, 1 h", "Look at them: scenesync results --topic scene.ops.dlq --headers", 4,
               [(increase("scenesync_dead_letters_total", "1h"), "in an hour")], "short",
               thresholds((GREEN, None), (ORANGE, 1)))
    yield stat("Lost writes, 24 h", "Partitions of which Redis had lost what it had acknowledged; it was applied again"
               " from Kafka. Gone: records that Kafka no longer had either, lost for good.", 4,
               [(increase("scenesync_lost_writes_total", "24h"), "lost"),
                (increase("scenesync_gone_records_total", "24h"), "gone")], "short",
               thresholds((GREEN, None), (RED, 1)), text="value_and_name")


def row_throughput():
    yield series("Operations", "By what became of them. Requeued ones come again and count again.", 12,
                 [(per_second("scenesync_operations_total", "outcome"), "{{outcome}}")], "ops", stacked=True)
    yield series("Batches", "Applied: attempts, first ones and retries. Redelivered and resent ones were recognised and"
                 " not applied again; stale ones were dropped; refused ones are dead letters.", 12,
                 [(per_second("scenesync_batches_total", "outcome"), "{{outcome}}"),
                  (per_second("scenesync_results_total"), "results published")], "cps")
    yield series("Result age", "From a batch's timestamp in Kafka until its result was acknowledged: what a client"
                 " waits for. Retries wait on purpose.", 12, percentiles("scenesync_result_age_seconds"), "s",
                 logarithmic=True)
    yield series("Processing", "From a record's receipt, or from when a retry was due, until its result is"
                 " acknowledged: the worker's own share of the age.", 12,
                 percentiles("messaging_process_duration_seconds"), "s", logarithmic=True)


def row_lag():
    lag, processable = chosen("kafka_consumergroup_lag"), chosen("scenesync_processable_lag")
    yield series("Records that arrive", "Written to each topic that the workers read.", 6,
                 [(per_second("kafka_topic_partition_current_offset", "topic"), "{{topic}}")], "cps", stacked=True)
    yield series("Lag per topic", "Records behind what was taken, retries that are not due yet among them.", 6,
                 [("sum by (topic) (%s)" % lag, "{{topic}}")], "short", stacked=True)
    yield series("Processable lag per topic", "What could be worked now. It rises where more comes than is worked.", 6,
                 [("sum by (topic) (%s)" % processable, "{{topic}}")], "short", stacked=True)
    yield series("Retries that are not due yet", "They wait on purpose, up to retry.max_delay_ms.", 6,
                 [("sum by (topic) (%s - %s)" % (lag, processable), "{{topic}}")], "short", stacked=True)
    yield panel("bargauge", "Processable lag per partition", "The twenty that lag most. One alone: a hot scene, or a"
                " producer that does not key by session_id. All: too few workers, or Redis's processor is full.",
                (12, 8), [("topk(20, max by (topic, partition) (%s))" % processable, "{{topic}} {{partition}}")],
                {"unit": "short", "min": 0, "color": {"mode": "continuous-GrYlRd"}},
                {"orientation": "horizontal", "displayMode": "gradient", "showUnfilled": True,
                 "reduceOptions": {"calcs": ["lastNotNull"]}}, instant=True)
    yield series("Partitions per worker", "Steps are rebalances.", 6,
                 [(chosen("scenesync_assigned_partitions"), "{{instance}}")], "none", stacked=True)
    yield series("Partitions of unknown lag", "Kafka has not told for 10 s where they end: all sums of lag lack them.", 6,
                 [(chosen("scenesync_unknown_lag_partitions"), "{{instance}}")], "none", stacked=True)


def row_trouble():
    yield series("Conflicts by reason", "Operations that met one.", 8,
                 [(per_second("scenesync_conflicts_total", "reason") + " > 0", "{{reason}}")], "ops", stacked=True)
    yield series("Conflicts by resolution", "Pending ones wait for a retry.", 8,
                 [(per_second("scenesync_conflicts_total", "resolution") + " > 0", "{{resolution}}")], "ops",
                 stacked=True)
    yield series("Retries by tier", "Batches sent to retry topic 1, 2, … What fails in the last one is given up.", 8,
                 [(per_second("scenesync_requeues_total", "tier"), "retry {{tier}}")], "cps", stacked=True)
    yield series("Dead letters by code", "What each code means: protocol/README.md.", 8,
                 [("60 * %s > 0" % per_second("scenesync_dead_letters_total", "code"), "{{code}}")], "cpm",
                 stacked=True)
    yield series("Signs of wrong clients", "Wrong keys: a producer does not partition by session_id, and order is not"
                 " sure. Clamped: a clock is ahead.", 8,
                 [(per_second("scenesync_wrong_keys_total"), "wrong keys"),
                  (per_second("scenesync_clamped_timestamps_total"), "clamped timestamps")], "cps")
    yield series("Deliveries that were recognised", "Redelivered: after a crash or a rebalance. Resent: by a client."
                 " Stale: dealt with long ago. None has an effect again.", 8,
                 [(per_second("scenesync_batches_total", "outcome", 'outcome=~"redelivered|resent|stale"'),
                   "{{outcome}}")], "cps")


def row_dependencies():
    yield series("Commit round trip", "From when a commit was handed to Redis's connection until its reply was taken.",
                 8, percentiles("scenesync_commit_duration_seconds"), "s", logarithmic=True)
    yield series("Commits", "Lost races: somebody else had changed the scene, and it was decided again.", 8,
                 [(per_second("scenesync_commits_total"), "commits"),
                  (per_second("scenesync_commit_races_total"), "lost races"),
                  (per_second("scenesync_cycles_repeated_total"), "repeated cycles")], "cps")
    yield series("Scenes found in the cache", "Of those that a cycle needed. Few, with a full cache: raise"
                 " store.cache_bytes.", 8,
                 [("%s / %s" % (per_second("scenesync_scene_lookups_total", more='found_in="cache"'),
                                per_second("scenesync_scene_lookups_total")), "found")], "percentunit", max=1)
    yield panel("state-timeline", "Connections", "As each worker sees them.", (12, 8),
                [(chosen("scenesync_dependency_up"), "{{dependency}}, {{instance}}")],
                {"mappings": AWAY_OR_UP, "color": {"mode": "thresholds"},
                 "thresholds": thresholds((RED, None), (GREEN, 1)), "custom": {"fillOpacity": 70, "lineWidth": 0}},
                {"showValue": "never", "mergeValues": True, "rowHeight": 0.8, "legend": {"showLegend": False}})
    yield series("Lost writes, last 5 minutes", "Partitions of which Redis had lost writes, and records applied again"
                 " for it. Gone ones are lost for good: restore a backup of Redis.", 12,
                 [(increase("scenesync_lost_writes_total", "5m"), "partitions"),
                  (increase("scenesync_replayed_records_total", "5m"), "records replayed"),
                  (increase("scenesync_gone_records_total", "5m"), "records gone")], "short",
                 overrides=[field("records gone", color=fixed(RED))])


def row_processes():
    yield series("Processor", "1 is a core; a worker's cycle uses one at most.", 6,
                 [("rate(%s[$__rate_interval])" % chosen("process_cpu_seconds_total"), "{{instance}}")], "none")
    yield series("Resident memory", "Mostly the cache, up to store.cache_bytes.", 6,
                 [(chosen("process_resident_memory_bytes"), "{{instance}}")], "bytes")
    yield series("Cache", "Dashed: what each may hold.", 6,
                 [(chosen("scenesync_cache_bytes"), "{{instance}}"),
                  ("max(%s)" % chosen("scenesync_cache_limit_bytes"), "limit")], "bytes",
                 overrides=[field("limit", color=fixed("text"), custom_fillOpacity=0,
                                  custom_lineStyle={"fill": "dash", "dash": [8, 8]})])
    yield series("Since the last progress", "A worker ends itself after worker.stall_timeout_ms. Waiting for Redis or"
                 " Kafka counts as progress.", 6,
                 [(chosen("scenesync_last_progress_seconds"), "{{instance}}")], "s")
    yield table("Workers", "What Prometheus knows of each.",
                [(chosen("scenesync_build_info"), ""), (chosen("scenesync_ready"), ""),
                 ("time() - %s" % chosen("process_start_time_seconds"), ""), (chosen("process_open_fds"), "")],
                [field("up for", unit="s"), field("ready", mappings=NO_OR_YES)],
                [{"id": "joinByField", "options": {"byField": "instance", "mode": "outer"}},
                 {"id": "filterFieldsByName",
                  "options": {"include": {"pattern": "instance|version.*|librdkafka.*|Value #[BCD]"}}},
                 {"id": "organize",
                  "options": {"renameByName": {"Value #B": "ready", "Value #C": "up for", "Value #D": "open files"}}}])
    yield table("Alerts", "What fires or is about to. deploy/RUNBOOK.md has a section for each.",
                [('sum by (alertname, alertstate, severity) (ALERTS{alertname=~"Scenesync.+"})', "")], (),
                [{"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": {"Value": "series"}}}])


# ---- The whole ----

def laid_out(rows):
    """Numbers the panels and places them from left to right, 24 columns wide."""
    number, top = 0, 0
    for title, panels in rows:
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
               "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}}
        left, top, height = 0, top + 1, 0
        for one in panels:
            place = one["gridPos"]
            if left + place["w"] > 24:
                left, top = 0, top + height
            number, height = number + 1, place["h"]
            yield dict(one, id=number, gridPos=dict(place, x=left, y=top))
            left += place["w"]
        top += height


def variable(name, label, query, **more):
    return dict(more, name=name, label=label, type="query", datasource=DATASOURCE, refresh=2, sort=1,
                query={"query": query, "refId": name})


def annotation(name, colour, expression, title):
    return {"name": name, "datasource": DATASOURCE, "enable": True, "iconColor": colour, "expr": expression,
            "step": "30s", "titleFormat": title, "textFormat": "{{instance}}"}


def dashboard():
    rows = (("Is it well?", row_state()), ("Throughput and latency", row_throughput()), ("Lag", row_lag()),
            ("Conflicts, retries, dead letters", row_trouble()), ("Redis and Kafka", row_dependencies()),
            ("Processes", row_processes()))
    return {
        "uid": "scenesync", "title": "scenesync", "tags": ["scenesync"], "schemaVersion": 39, "editable": True,
        "description": "A pool of scenesync workers. Metrics: deploy/README.md; alerts: deploy/RUNBOOK.md.",
        "graphTooltip": 1, "refresh": "10s", "time": {"from": "now-30m", "to": "now"}, "timezone": "browser",
        "templating": {"list": [
            {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1},
            variable("job", "job", "label_values(scenesync_build_info, job)"),
            variable("instance", "worker", 'label_values(scenesync_build_info{job="$job"}, instance)', multi=True,
                     includeAll=True, allValue=".+", current={"text": "All", "value": "$__all"})]},
        "annotations": {"list": [
            annotation("alerts", RED, 'ALERTS{alertname=~"Scenesync.+",alertstate="firing"}', "{{alertname}}"),
            annotation("starts", "blue", 'changes(process_start_time_seconds{job="$job"}[1m]) > 0', "started")]},
        "panels": list(laid_out(rows)),
    }


print(json.dumps(dashboard(), indent=1, ensure_ascii=False))
