#include <criterion/criterion.h>

#include "store/redis_errors.h"

Test(redis_errors, class_follows_the_code)
{
    static const struct {
        const char *reply;
        enum redis_error_class class;
    } cases[] = {
        {"WRONGTYPE Operation against a key holding the wrong kind of value", REDIS_ERROR_REQUEST},
        {"ERR Error running script (call to f_00): @user_script:3: -WRONGTYPE Operation against",
         REDIS_ERROR_REQUEST},
        {"SCENESYNC argument 5 must be an integer", REDIS_ERROR_REQUEST},
        {"NOSCRIPT No matching script. Please use EVAL.", REDIS_ERROR_NO_SCRIPT},
        {"READONLY You can't write against a read only replica.", REDIS_ERROR_CONNECTION},
        {"ERR max number of clients reached", REDIS_ERROR_CONNECTION},
        {"LOADING Redis is loading the dataset in memory", REDIS_ERROR_SERVER},
        {"OOM command not allowed when used memory > 'maxmemory'.", REDIS_ERROR_SERVER},
        {"CLUSTERDOWN Hash slot not served", REDIS_ERROR_SERVER},
        {"EXECABORT Transaction discarded because of: READONLY You can't", REDIS_ERROR_CONNECTION},
        {"ERR something new", REDIS_ERROR_SERVER},
        {"WRONGTYPES are something else", REDIS_ERROR_SERVER},
        {"ERR the text NOT-WRONGTYPEx", REDIS_ERROR_SERVER},
        {"", REDIS_ERROR_SERVER},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cr_assert_eq(redis_error_class_of(span_of_text(cases[i].reply)), cases[i].class, "%s",
                     cases[i].reply);
    }
}

Test(redis_errors, description_has_the_reply_and_a_cure)
{
    char text[REDIS_ERROR_TEXT_BYTES_MAX];
    cr_assert_str_eq(redis_error_describe(span_of_text("OOM full"), text),
                     "OOM full: raise Redis's maxmemory or remove what is not needed");
    cr_assert_str_eq(redis_error_describe(span_of_text("ERR odd"), text),
                     "ERR odd: look at Redis's log");
}

Test(redis_errors, description_is_printable_and_fits)
{
    char text[REDIS_ERROR_TEXT_BYTES_MAX], reply[1000];
    for (size_t i = 0; i < sizeof(reply); i++) {
        reply[i] = (char)i;
    }
    (void)redis_error_describe(span_make(reply, sizeof(reply)), text);
    cr_assert_lt(strlen(text), sizeof(text));
    for (const char *at = text; *at != '\0'; at++) {
        cr_assert(*at >= ' ' && *at < 0x7f);
    }
    cr_assert_not_null(strstr(text, "look at Redis's log"));
}
