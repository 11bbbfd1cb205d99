#include "refusal.h"

#include "sql.h"

void
ts_refuse(PGconn *sql, const char *table, const char *condition)
{
    ts_sql(sql,
           "CREATE OR REPLACE FUNCTION ts_refuse_%s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
           "IF %s THEN RAISE EXCEPTION '" TS_REFUSAL "'; END IF; RETURN NEW; END $$",
           table, condition);
    ts_sql(
        sql,
        "CREATE TRIGGER ts_refuse BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION ts_refuse_%s()",
        table, table);
}

void
ts_refuse_end(PGconn *sql, const char *table)
{
    ts_sql(sql, "DROP TRIGGER ts_refuse ON %s", table);
    ts_sql(sql, "DROP FUNCTION ts_refuse_%s()", table);
}
