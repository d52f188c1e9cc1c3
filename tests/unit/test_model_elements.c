/*
 * What the independent model (tests/model) makes of elements: protocol.md's rules for documents,
 * patches, operations that are refused, and limits.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/batches.h"
#include "tests/support/model_fixture.h"

TestSuite(model_elements, .init = model_fixture_begin, .fini = model_fixture_end);

Test(model_elements, stores_a_complete_element)
{
    given("[{'op':'add','timestamp':1,'element':{'id':'3F0C5B1A-7D0E-4C1B-9A57-0B5B8F6C2D11',"
          "'kind':{'type':'T'},'transform':{'y':1e300,'z_index':-99999999999,'skew':null},"
          "'interactive':null,'parent':'bin:00112233445566778899aabbccddeeff','x':[null]}}]");
    const struct value *const document = element("3f0c5b1a-7d0e-4c1b-9a57-0b5b8f6c2d11")->document;
    const struct value *const transform = value_find(document, "transform");
    double number = 0;
    cr_assert(value_as_number(value_find(transform, "y"), &number));
    cr_assert(number == 3.4028234663852886e+38);
    cr_assert_eq(value_find(transform, "z_index")->negative, INT32_MIN);
    cr_assert(value_as_number(value_find(transform, "width"), &number) && number == 100);
    cr_assert(value_is(value_find(transform, "skew"), VALUE_NIL));
    cr_assert(value_find(document, "interactive")->boolean);
    cr_assert_not(value_find(document, "selected")->boolean);
    cr_assert(value_is_text(value_find(document, "id"), "3f0c5b1a-7d0e-4c1b-9a57-0b5b8f6c2d11"));
    cr_assert(
        value_is_text(value_find(document, "parent"), "00112233-4455-6677-8899-aabbccddeeff"));
}

Test(model_elements, patches_as_the_document_shows)
{
    given("[{'op':'add','timestamp':1,'element':{'id':'lamp','kind':{'type':'Shape','data':"
          "{'color':'red','size':{'w':1}}},'transform':{'x':40.5},'note':'draft'}},"
          "{'op':'update','id':'lamp','timestamp':2,'changes':{'id':'other','kind':{'data':"
          "{'color':null,'size':{'h':2}}},'transform':{'x':'left','y':1e300,'z_index':7.0},"
          "'selected':null,'parent':'3F0C5B1A-7D0E-4C1B-9A57-0B5B8F6C2D11','tags':['a',null],"
          "'note':null}}]");
    expect_document("lamp",
                    "{'id':'lamp','kind':{'type':'Shape','data':{'size':{'w':1,'h':2}}},"
                    "'transform':{'x':40.5,'y':3.4028234663852886e+38,'width':100,'height':100,"
                    "'rotation':0,'z_index':7},'interactive':true,'selected':false,"
                    "'parent':'3f0c5b1a-7d0e-4c1b-9a57-0b5b8f6c2d11','tags':['a',null]}");
}

Test(model_elements, drops_nil_from_maps_that_a_change_makes)
{
    given("[{'op':'add','timestamp':1,'element':{'id':'a','kind':{'type':'T'},'p':5}},"
          "{'op':'update','id':'a','timestamp':2,'changes':{'p':{'q':null,'r':{'s':null,'t':1}},"
          "'kind':5,'transform':null,'interactive':false}}]");
    const struct value *const p = value_find(element("a")->document, "p");
    cr_assert_eq(p->count, 1);
    cr_assert_eq(value_find(p, "r")->count, 1);
    cr_assert_not(value_find(element("a")->document, "interactive")->boolean);
}

Test(model_elements, refuses_what_breaks_the_rules_inside_an_operation)
{
    static const char *const invalid[] = {
        "{'op':'add','timestamp':1,'element':{'id':'a','kind':{}}}",
        "{'op':'add','timestamp':1,'element':{'id':'a','kind':{'type':1}}}",
        "{'op':'add','timestamp':1,'element':{'id':'a b','kind':{'type':'T'}}}",
        "{'op':'add','timestamp':1,'element':{'id':'a','kind':{'type':'T'},'transform':5}}",
        "{'op':'add','timestamp':1,'element':{'id':'a','kind':{'type':'T'},'selected':1}}",
        "{'AddElement':{'timestamp':1,'element':{'id':'a','kind':{'type':'T'},'transform':5}}}",
        "{'op':'add','timestamp':1,'element':{'id':'a','kind':{'type':'T'},'transform':{'x':'1'}}}",
        "{'op':'add','element':{'id':'a','kind':{'type':'T'}}}",
        "{'op':'add','timestamp':-1,'element':{'id':'a','kind':{'type':'T'}}}",
        "{'op':'update','timestamp':1,'id':'present','changes':[]}",
        "{'op':'update','timestamp':1,'id':'present','changes':{},'base_version':-1}",
        "{'op':'update','timestamp':100,'id':'present','changes':{'kind':{'type':null}}}",
        "{'op':'remove','timestamp':1}",
        "{'op':'jump','timestamp':1}",
        "{'op':'remove','id':'a','timestamp':1,'RemoveElement':{'id':'a','timestamp':1}}",
        "{'RemoveElement':5}",
        "{'AddElement':{},'RemoveElement':{'id':'a','timestamp':1}}",
        "['remove','a',1]",
        "5",
        "'hex:82a26f70a672656d6f7665a26f70a672656d6f7665'",
    };
    given(OPERATIONS(ADD("present", 1, 1)));
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        char operations[400];
        (void)snprintf(operations, sizeof(operations), "[%s]", invalid[i]);
        const struct model_verdict verdict = apply_batch(MODEL_LAST_WRITE_WINS, operations);
        cr_assert(verdict.standing == MODEL_FAILED &&
                      strcmp(verdict.code, "invalid_operation") == 0,
                  "%s", invalid[i]);
        cr_assert_not(verdict.has_conflict);
    }
    cr_assert_eq(model_fixture.scene.count, 1);
}

Test(model_elements, reads_both_spellings_and_every_way_to_write_a_time)
{
    given("[{'AddElement':{'element':{'id':'a','kind':{'type':'T'}},'timestamp':10.75}},"
          "{'UpdateElement':{'id':'a','changes':{'n':1},'timestamp':'hex:ca41300000'}}]");
    cr_assert_eq(element("a")->timestamp_ms, 11);
    cr_assert(value_is(value_find(element("a")->document, "n"), VALUE_NATURAL));
}

Test(model_elements, keeps_the_limits)
{
    model_fixture.settings.elements_max = 1;
    model_fixture.settings.element_bytes_max = 180;
    model_fixture.settings.text_bytes_max = 4;
    given(OPERATIONS(ADD("a", 1, 1)));
    struct model_verdict verdict = apply_batch(MODEL_LAST_WRITE_WINS, OPERATIONS(ADD("b", 1, 1)));
    cr_assert_str_eq(outcome_of(&verdict), "too_many_elements");
    verdict = apply_batch(MODEL_LAST_WRITE_WINS, OPERATIONS(REMOVE("a", 5), ADD("b", 1, 1)));
    cr_assert_str_eq(outcome_of(&verdict), "ok", "there is room again");
    verdict =
        apply_batch(MODEL_LAST_WRITE_WINS,
                    "[{'op':'update','id':'b','timestamp':9,'changes':{'kind':{'data':{'content':"
                    "'12345'}}}}]");
    cr_assert_str_eq(outcome_of(&verdict), "invalid_operation");
    verdict =
        apply_batch(MODEL_LAST_WRITE_WINS,
                    "[{'op':'update','id':'b','timestamp':9,'changes':{'long':"
                    "'1234567890123456789012345678901234567890123456789012345678901234567890'}}]");
    cr_assert_str_eq(outcome_of(&verdict), "element_too_large");
}
