/*
 * The growing run of bytes.
 */
#include "found.h"

#include <string.h>

#include "base/buffer.h"

TEST(test_appends_follow_each_other)
{
    pgqrsi_buffer buffer = PGQRSI_BUFFER_INIT;

    (void)state;
    pgqrsi_buffer_append(&buffer, "a\0b", 3);
    pgqrsi_buffer_append_text(&buffer, "cd");
    pgqrsi_buffer_append_slice(&buffer, (pgqrs_slice){ "efgh", 2 });

    assert_false(buffer.failed);
    assert_int_equal(buffer.size, 7);
    assert_memory_equal(buffer.data, "a\0bcdef", 7);
    pgqrsi_buffer_release(&buffer);
}

TEST(test_appending_nothing_changes_nothing)
{
    pgqrsi_buffer buffer = PGQRSI_BUFFER_INIT;

    (void)state;
    pgqrsi_buffer_append(&buffer, NULL, 0);
    pgqrsi_buffer_append_text(&buffer, "");
    pgqrsi_buffer_append_slice(&buffer, (pgqrs_slice){ NULL, 0 });

    assert_false(buffer.failed);
    assert_int_equal(buffer.size, 0);
    pgqrsi_buffer_release(&buffer);
}

TEST(test_growing_keeps_what_was_there)
{
    pgqrsi_buffer buffer = PGQRSI_BUFFER_INIT;
    unsigned char byte;

    (void)state;
    for (size_t i = 0; i < 100000; i++) {
        byte = (unsigned char)(i * 31 >> 3);
        pgqrsi_buffer_append(&buffer, &byte, 1);
    }

    assert_false(buffer.failed);
    assert_int_equal(buffer.size, 100000);
    assert_true(buffer.capacity >= buffer.size);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal((unsigned char)buffer.data[i], (unsigned char)(i * 31 >> 3));
    pgqrsi_buffer_release(&buffer);
}

TEST(test_growing_is_rare)
{
    pgqrsi_buffer buffer = PGQRSI_BUFFER_INIT;
    size_t capacity = 0, growths = 0;

    (void)state;
    for (size_t i = 0; i < 1000000; i++) {
        pgqrsi_buffer_append(&buffer, "x", 1);
        if (buffer.capacity != capacity)
            growths++;
        capacity = buffer.capacity;
    }

    assert_true(growths <= 21);
    pgqrsi_buffer_release(&buffer);
}

TEST(test_integers_are_in_network_byte_order)
{
    static const unsigned char expected[] = { 0x12, 0x34, 0xff, 0xfe, 0x12, 0x34, 0x56,
                                              0x78, 0xff, 0xff, 0xff, 0xff, 0x01, 0x02,
                                              0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x80,
                                              0,    0,    0,    0,    0,    0,    0 };
    pgqrsi_buffer buffer = PGQRSI_BUFFER_INIT;

    (void)state;
    pgqrsi_buffer_append_int16(&buffer, 0x1234);
    pgqrsi_buffer_append_int16(&buffer, -2);
    pgqrsi_buffer_append_int32(&buffer, 0x12345678);
    pgqrsi_buffer_append_int32(&buffer, -1);
    pgqrsi_buffer_append_int64(&buffer, INT64_C(0x0102030405060708));
    pgqrsi_buffer_append_int64(&buffer, INT64_MIN);

    assert_int_equal(buffer.size, sizeof(expected));
    assert_memory_equal(buffer.data, expected, sizeof(expected));
    pgqrsi_buffer_release(&buffer);
}

TEST(test_reserved_room_can_be_written_to)
{
    pgqrsi_buffer buffer = PGQRSI_BUFFER_INIT;
    char *end;

    (void)state;
    /* Given some content, when much more room is asked for */
    pgqrsi_buffer_append_text(&buffer, "head");
    end = pgqrsi_buffer_reserve(&buffer, 100000);

    /* then it starts after the content, and all of it may be written (AddressSanitizer watches). */
    assert_ptr_equal(end, buffer.data + 4);
    memset(end, 'x', 100000);
    assert_int_equal(buffer.size, 4);
    assert_memory_equal(buffer.data, "head", 4);
    pgqrsi_buffer_release(&buffer);
}

TEST(test_a_failure_is_remembered_and_keeps_the_content)
{
    pgqrsi_buffer buffer = PGQRSI_BUFFER_INIT;

    (void)state;
    /* Given some content, when more is asked for than there can be */
    pgqrsi_buffer_append_text(&buffer, "kept");
    assert_null(pgqrsi_buffer_reserve(&buffer, SIZE_MAX));
    assert_true(buffer.failed);

    /* then later appends, however small, do nothing: the buffer never has a hole. */
    pgqrsi_buffer_append_text(&buffer, "lost");
    pgqrsi_buffer_append_int64(&buffer, 1);
    assert_null(pgqrsi_buffer_reserve(&buffer, 1));
    assert_true(buffer.failed);
    assert_int_equal(buffer.size, 4);
    assert_memory_equal(buffer.data, "kept", 4);
    pgqrsi_buffer_release(&buffer);
}

TEST(test_a_size_that_would_wrap_is_refused)
{
    static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 7, SIZE_MAX - 8, SIZE_MAX / 2 + 1,
                                    SIZE_MAX / 2 - 7 };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        pgqrsi_buffer buffer = PGQRSI_BUFFER_INIT;

        pgqrsi_buffer_append_text(&buffer, "12345678");
        assert_null(pgqrsi_buffer_reserve(&buffer, sizes[i]));
        assert_true(buffer.failed);
        pgqrsi_buffer_release(&buffer);
    }
}

TEST(test_a_released_buffer_starts_afresh)
{
    pgqrsi_buffer buffer = PGQRSI_BUFFER_INIT;

    (void)state;
    pgqrsi_buffer_append_text(&buffer, "old");
    assert_null(pgqrsi_buffer_reserve(&buffer, SIZE_MAX));
    pgqrsi_buffer_release(&buffer);
    pgqrsi_buffer_release(&buffer);
    assert_null(buffer.data);

    pgqrsi_buffer_append_text(&buffer, "new");
    assert_false(buffer.failed);
    assert_int_equal(buffer.size, 3);
    assert_memory_equal(buffer.data, "new", 3);
    pgqrsi_buffer_release(&buffer);
}

TEST_MAIN(NULL, NULL)
