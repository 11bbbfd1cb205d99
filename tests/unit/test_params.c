/*
 * Parameters in PostgreSQL's binary format, byte by byte.
 */
#include "found.h"

#include "db/params.h"

#include <string.h>

enum {
    INT8 = 20,
    TEXT = 25,
    JSONB = 3802,
    INT8_ARRAY = 1016,
    TEXT_ARRAY = 1009,
    JSONB_ARRAY = 3807
};

#define EXPECT(params, i, type, bytes) expect((params), (i), (type), (bytes), sizeof(bytes) - 1)

static void
expect(const pgqrsi_params *params, int i, uint32_t type, const char *bytes, size_t size)
{
    assert_true(i < params->count);
    assert_int_equal(params->at[i].type, type);
    assert_int_equal(params->at[i].is_null, 0);
    assert_int_equal(params->at[i].length, size);
    assert_memory_equal(params->bytes.data + params->at[i].offset, bytes, size);
}

static void
expect_null(const pgqrsi_params *params, int i, uint32_t type)
{
    assert_true(i < params->count);
    assert_int_equal(params->at[i].type, type);
    assert_int_equal(params->at[i].is_null, 1);
}

TEST(numbers_are_big_endian)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;

    (void)state;
    pgqrsi_params_add_int(&params, 0x0102030405060708);
    pgqrsi_params_add_int(&params, 0);
    pgqrsi_params_add_int(&params, -2);
    pgqrsi_params_add_int(&params, INT64_MIN);
    assert_int_equal(params.count, 4);
    EXPECT(&params, 0, INT8, "\1\2\3\4\5\6\7\10");
    EXPECT(&params, 1, INT8, "\0\0\0\0\0\0\0\0");
    EXPECT(&params, 2, INT8, "\xff\xff\xff\xff\xff\xff\xff\xfe");
    EXPECT(&params, 3, INT8, "\x80\0\0\0\0\0\0\0");
    pgqrsi_params_release(&params);
}

TEST(an_id_of_zero_is_null)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;

    (void)state;
    pgqrsi_params_add_id(&params, 0);
    pgqrsi_params_add_id(&params, 1);
    expect_null(&params, 0, INT8);
    EXPECT(&params, 1, INT8, "\0\0\0\0\0\0\0\1");
    pgqrsi_params_release(&params);
}

TEST(a_missing_text_is_null_and_an_empty_one_is_not)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;

    (void)state;
    pgqrsi_params_add_text(&params, (pgqrs_slice){ NULL, 0 });
    pgqrsi_params_add_text(&params, (pgqrs_slice){ "", 0 });
    pgqrsi_params_add_text(&params, (pgqrs_slice){ "o'b\"r\\", 6 });
    pgqrsi_params_add_text(&params, (pgqrs_slice){ "cut here", 3 });
    expect_null(&params, 0, TEXT);
    EXPECT(&params, 1, TEXT, "");
    EXPECT(&params, 2, TEXT, "o'b\"r\\");
    EXPECT(&params, 3, TEXT, "cut");
    pgqrsi_params_release(&params);
}

TEST(json_has_its_version_before_it)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;

    (void)state;
    pgqrsi_params_add_json(&params, (pgqrs_slice){ "{}", 2 });
    pgqrsi_params_add_json(&params, (pgqrs_slice){ NULL, 0 });
    EXPECT(&params, 0, JSONB, "\1{}");
    expect_null(&params, 1, JSONB);
    pgqrsi_params_release(&params);
}

/* Dimensions, NULLs, type of the elements, how many, from which index. */
#define HEADER(type, count) "\0\0\0\1\0\0\0\1\0\0" type "\0\0\0" count "\0\0\0\1"

TEST(arrays_have_one_dimension_from_1)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;

    (void)state;
    pgqrsi_params_start_ints(&params, 2);
    pgqrsi_params_element_int(&params, 7);
    pgqrsi_params_element_int(&params, -1);
    pgqrsi_params_end_array(&params);
    pgqrsi_params_start_texts(&params, 3);
    pgqrsi_params_element_text(&params, (pgqrs_slice){ "ab", 2 });
    pgqrsi_params_element_text(&params, (pgqrs_slice){ NULL, 0 });
    pgqrsi_params_element_text(&params, (pgqrs_slice){ "", 0 });
    pgqrsi_params_end_array(&params);
    pgqrsi_params_start_jsons(&params, 2);
    pgqrsi_params_element_json(&params, (pgqrs_slice){ "[1]", 3 });
    pgqrsi_params_element_json(&params, (pgqrs_slice){ NULL, 0 });
    pgqrsi_params_end_array(&params);
    assert_int_equal(params.count, 3);
    EXPECT(&params, 0, INT8_ARRAY,
           HEADER("\0\24", "\2") "\0\0\0\10\0\0\0\0\0\0\0\7"
                                 "\0\0\0\10\xff\xff\xff\xff\xff\xff\xff\xff");
    EXPECT(&params, 1, TEXT_ARRAY,
           HEADER("\0\31", "\3") "\0\0\0\2ab"
                                 "\xff\xff\xff\xff"
                                 "\0\0\0\0");
    EXPECT(&params, 2, JSONB_ARRAY,
           HEADER("\16\332", "\2") "\0\0\0\4\1[1]"
                                   "\xff\xff\xff\xff");
    pgqrsi_params_release(&params);
}

TEST(a_parameter_stays_where_it_is_when_others_follow)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    char large[5000];

    (void)state;
    memset(large, 'x', sizeof(large));
    pgqrsi_params_add_text(&params, (pgqrs_slice){ "first", 5 });
    for (int i = 0; i < 10; i++)
        pgqrsi_params_add_text(&params, (pgqrs_slice){ large, sizeof(large) });
    EXPECT(&params, 0, TEXT, "first");
    expect(&params, 10, TEXT, large, sizeof(large));
    assert_int_equal(params.failed, 0);
    pgqrsi_params_release(&params);
}

TEST(more_than_there_is_room_for_is_remembered)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;

    (void)state;
    for (int i = 0; i < PGQRSI_PARAMS_MAX; i++)
        pgqrsi_params_add_int(&params, i);
    assert_int_equal(params.failed, 0);
    pgqrsi_params_add_int(&params, 99);
    assert_int_equal(params.failed, 1);
    assert_int_equal(params.count, PGQRSI_PARAMS_MAX);
    pgqrsi_params_release(&params);
    assert_int_equal(params.failed, 0);
    assert_int_equal(params.count, 0);
    pgqrsi_params_add_int(&params, 1); /* it can be used again */
    EXPECT(&params, 0, INT8, "\0\0\0\0\0\0\0\1");
    pgqrsi_params_release(&params);
}

TEST_MAIN(NULL, NULL)
