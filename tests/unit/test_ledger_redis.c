/*
 * The ledger itself: whatever one thing is changed in the keys of a true history is found and
 * named.
 */
#include <criterion/criterion.h>

#include "tests/support/ledger_fixture.h"
#include "tests/support/messages.h"

TestSuite(ledger_tampering, .init = ledger_fixture_begin, .fini = ledger_fixture_end);

Test(ledger_tampering, a_byte_of_an_element)
{
    replace_text(&element_of("s1", "a")->value, "late", "lake");
    expect_differing("scene 's1': element 'a': 'note' is not as expected");
}

Test(ledger_tampering, the_way_an_untouched_number_is_written)
{
    struct history_field *const element = element_of("s2", "k");
    element->value = bytes_with(element->value, bytes_of_hex("a16e02"), bytes_of_hex("a16ecc02"));
    expect_differing("scene 's2': element 'k': 'n' is not as expected");
}

Test(ledger_tampering, a_key_too_many_in_an_element)
{
    const struct span name = bytes_of_hex("a16e");
    struct history_field *const element = element_of("s2", "k");
    element->value = bytes_with(element->value, name, bytes_of_hex("a16d"));
    expect_differing("scene 's2': element 'k': 'n' is not as expected");
}

Test(ledger_tampering, a_version_of_an_element)
{
    struct history_field *const element = element_of("s2", "k");
    uint8_t bytes[512];
    memcpy(bytes, element->value.data, element->value.size);
    bytes[1]++;
    element->value = bytes_keep(span_make(bytes, element->value.size));
    expect_differing("scene 's2': element 'k': its version is 3, expected 2");
}

Test(ledger_tampering, a_missing_element)
{
    element_of("s1", "a")->is_gone = true;
    expect_lost("scene 's1': element 'a' is missing");
}

Test(ledger_tampering, a_missing_tombstone)
{
    element_of("s1", "gone")->is_gone = true;
    expect_lost("scene 's1': tombstone 'gone' is missing");
}

Test(ledger_tampering, a_removed_element_that_is_back)
{
    element_of("s1", "gone")->value = element_of("s1", "a")->value;
    expect_differing("scene 's1': element 'gone'");
}

Test(ledger_tampering, a_missing_index_entry)
{
    history_field_of(&told, "s1", LEDGER_TOMBSTONES, "gone")->is_gone = true;
    expect_lost("scene 's1': 'gone' is missing in :tombstones");
}

Test(ledger_tampering, an_index_entry_at_another_time)
{
    history_field_of(&told, "s1", LEDGER_TOMBSTONES, "gone")->value = span_of_text("12");
    expect_differing("scene 's1': 'gone' in :tombstones has the score 12");
}

Test(ledger_tampering, an_index_entry_of_a_present_element)
{
    history_add_field(&told, "s1", LEDGER_TOMBSTONES, "a", span_of_text("1750000000000"));
    expect_differing("scene 's1': 'a' stands in :tombstones, and is no tombstone");
}

Test(ledger_tampering, a_stray_element)
{
    history_add_field(&told, "s1", LEDGER_ELEMENTS, "stray", element_of("s1", "a")->value);
    expect_differing("scene 's1': element 'stray' stands there, and no operation explains it");
}

Test(ledger_tampering, a_stray_scene)
{
    history_add_field(&told, "s9", LEDGER_META, "version", span_of_text("1"));
    expect_differing("scene 's9': no operation explains it");
}

Test(ledger_tampering, a_stray_key)
{
    struct ledger *const ledger = ledger_create(&told.config);
    struct ledger_counts counts;
    ledger_add_stray_key(ledger, span_of_text("scene:other"));
    FILE *const out = fmemopen(told.findings, sizeof(told.findings), "w");
    cr_assert_not(ledger_check(ledger, out, 5, &counts));
    (void)fclose(out);
    ledger_destroy(ledger);
    cr_assert_not_null(strstr(told.findings, "key 'scene:other': nothing explains it"));
}

Test(ledger_tampering, a_doubled_effect)
{
    history_field_of(&told, "s1", LEDGER_META, "version")->value = span_of_text("6");
    expect_differing("meta field 'version' is '6': expected 5");
}

Test(ledger_tampering, a_wrong_element_count)
{
    history_field_of(&told, "s1", LEDGER_META, "element_count")->value = span_of_text("2");
    expect_differing("meta field 'element_count' is '2': expected 1");
}

Test(ledger_tampering, a_stray_meta_field)
{
    history_add_field(&told, "s1", LEDGER_META, "colour", span_of_text("red"));
    expect_differing("meta field 'colour' is 'red': nothing explains it");
}

Test(ledger_tampering, a_missing_meta_field)
{
    history_field_of(&told, "s1", LEDGER_META, "commit")->is_gone = true;
    expect_lost("scene 's1': meta field 'commit' is missing");
}

Test(ledger_tampering, a_position_that_stands_too_low)
{
    history_field_of(&told, "s1", LEDGER_META, "at:scene.ops/0")->value =
        span_of_text("0 1750000000000");
    expect_differing("meta field 'at:scene.ops/0' is '0 1750000000000': records above it");
}

Test(ledger_tampering, a_position_where_no_record_stands)
{
    history_field_of(&told, "s1", LEDGER_META, "at:scene.ops/0")->value =
        span_of_text("77 1750000000000");
    expect_differing("no record of the scene stands there");
}

Test(ledger_tampering, a_missing_record)
{
    history_field_of(&told, "s1", LEDGER_BATCHES, "b2 ann")->is_gone = true;
    expect_lost("batch 'b2' (client 'ann', scene 's1', scene.ops/0/1): it has no record in Redis");
}

Test(ledger_tampering, a_record_of_another_result)
{
    replace(&history_field_of(&told, "s1", LEDGER_BATCHES, "b2 ann")->value, "'synced_count'",
            "'synced_xount'");
    expect_differing("batch 'b2' (client 'ann', scene 's1', scene.ops/0/1): its record in Redis");
}

Test(ledger_tampering, a_record_that_still_waits)
{
    history_field_of(&told, "s1", LEDGER_BATCHES, "b2 ann")->key = LEDGER_PENDING;
    expect_differing("final, but its record still waits");
}

Test(ledger_tampering, a_record_of_nothing)
{
    struct span value = history_field_of(&told, "s2", LEDGER_BATCHES, "b5 ")->value;
    history_add_field(&told, "s2", LEDGER_BATCHES, "b99 ", value);
    expect_differing("the record of batch 'b99' of client '' in scene 's2': nothing explains it");
}
