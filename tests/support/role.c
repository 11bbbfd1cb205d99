#include "role.h"

#include "folder.h"
#include "sql.h"

char *
ts_role(PGconn *sql, const char *dsn, const char *name)
{
    if (ts_int(sql, "SELECT count(*) FROM pg_roles WHERE rolname = '%s'", name) == 0)
        ts_sql(sql, "CREATE ROLE %s", name);
    ts_sql(sql, "ALTER ROLE %s LOGIN CONNECTION LIMIT -1", name);
    ts_sql(sql, "GRANT ALL ON ALL TABLES IN SCHEMA public TO %s", name);
    ts_sql(sql, "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO %s", name);
    ts_sql(sql, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO %s", name);
    return ts_format("%s user=%s", dsn, name);
}
