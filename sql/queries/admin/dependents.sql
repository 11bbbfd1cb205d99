-- Lists objects of others that depend on pgqrs' tables and would keep them from being dropped. Run
-- before the first queue is deleted.
-- Returns: one row for each object, its description. Plan: catalogs only.
-- Columns: text
-- Rows: many
WITH ours AS (
    SELECT c.oid, c.reltype FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = :'schema'::name AND c.relname ~ '^pgqrs_'::text AND c.relkind = ANY ('{r,p,S,i,I}'::"char"[])
), functions AS (
    SELECT p.oid FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
     WHERE n.nspname = :'schema'::name AND p.proname ~ '^pgqrs_'::text
)
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0)
  FROM pg_catalog.pg_depend AS d
 WHERE d.deptype = 'n'::"char"
   AND ((d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid IN (SELECT f.oid FROM functions AS f))
        OR (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid IN (SELECT o.oid FROM ours AS o))
        OR (d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (SELECT o.reltype FROM ours AS o WHERE o.reltype <> 0::oid)))
   AND NOT (d.classid = 'pg_catalog.pg_class'::regclass AND d.objid IN (SELECT o.oid FROM ours AS o))
   AND NOT (d.classid = 'pg_catalog.pg_attrdef'::regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_attrdef AS a WHERE a.oid = d.objid AND a.adrelid IN (SELECT o.oid FROM ours AS o)))
   AND NOT (d.classid = 'pg_catalog.pg_trigger'::regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.oid = d.objid AND t.tgrelid IN (SELECT o.oid FROM ours AS o)))
   AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_constraint AS t WHERE t.oid = d.objid AND t.conrelid IN (SELECT o.oid FROM ours AS o)))
   AND d.classid <> 'pg_catalog.pg_publication_rel'::regclass
   AND d.classid <> 'pg_catalog.pg_policy'::regclass
 ORDER BY 1;
