/*
 * The classes of the server's failures.
 */

#include "found.h"

#include "db/sqlstate.h"

enum { ROW = 1, LOCK = 2, LATER = 4 };

TEST(every_failure_is_in_its_classes)
{
    static const struct {
        const char *sqlstate;
        int classes;
    } failures[] = {
        { "", 0 },
        { "21000", ROW },          /* cardinality_violation */
        { "22003", ROW },          /* numeric_value_out_of_range */
        { "22P05", ROW },          /* untranslatable_character */
        { "23502", ROW },          /* not_null_violation */
        { "23505", ROW },          /* unique_violation */
        { "23514", ROW },          /* check_violation */
        { "42501", ROW },          /* insufficient_privilege, by a policy */
        { "44000", ROW },          /* with_check_option_violation */
        { "54000", ROW },          /* program_limit_exceeded */
        { "P0001", ROW },          /* raise_exception */
        { "XX000", ROW },          /* internal_error */
        { "XX001", ROW },          /* data_corrupted */
        { "53200", ROW | LATER },  /* out_of_memory */
        { "53100", LATER },        /* disk_full */
        { "53300", LATER },        /* too_many_connections */
        { "55P03", LOCK | LATER }, /* lock_not_available */
        { "55006", LATER },        /* object_in_use */
        { "57014", LATER },        /* query_canceled */
        { "57P01", LATER },        /* admin_shutdown */
        { "57P03", LATER },        /* cannot_connect_now */
        { "25006", LATER },        /* read_only_sql_transaction */
        { "40001", LATER },        /* serialization_failure */
        { "40P01", LATER },        /* deadlock_detected */
        { "58030", LATER },        /* io_error */
        { "42P01", 0 },            /* undefined_table */
        { "42601", 0 },            /* syntax_error */
        { "25P02", 0 },            /* in_failed_sql_transaction */
        { "3F000", 0 },            /* invalid_schema_name */
        { "0A000", 0 },            /* feature_not_supported */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        const char *sqlstate = failures[i].sqlstate;
        int classes = (pgqrsi_sqlstate_is_row(sqlstate) ? ROW : 0) |
                      (pgqrsi_sqlstate_is_lock(sqlstate) ? LOCK : 0) |
                      (pgqrsi_sqlstate_try_later(sqlstate) ? LATER : 0);

        if (classes != failures[i].classes)
            fail_msg("%s is in %d, not in %d", sqlstate, classes, failures[i].classes);
    }
}

TEST_MAIN(NULL, NULL)
