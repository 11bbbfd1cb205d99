-- Explains why the version could not be read, or what an installation would find.
-- Returns: whether the schema exists; whether pgqrs_migrations exists; whether the database's
-- encoding is UTF8; the owner of pgqrs_migrations if the owner is not trusted (NULL: trusted, or no
-- table); whether every role can create in the schema.
-- A role that can create in a schema can put tables there that look like pgqrs' own. A trusted
-- owner is this user, a role that this user is a member of, a superuser, or the owner of the schema
-- or of the database.
-- Columns: bool bool bool text bool
-- Rows: one
SELECT n.oid IS NOT NULL, c.oid IS NOT NULL, pg_catalog.pg_encoding_to_char(d.encoding) = 'UTF8'::name,
       (SELECT r.rolname::text FROM pg_catalog.pg_roles AS r
         WHERE r.oid = c.relowner AND NOT r.rolsuper AND r.oid <> n.nspowner AND r.oid <> d.datdba AND r.oid <> me.oid
           AND (me.rolsuper OR NOT pg_catalog.pg_has_role(me.oid, r.oid, 'USAGE'::text))),
       EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) AS a WHERE a.grantee = 0::oid AND a.privilege_type = 'CREATE'::text)
  FROM pg_catalog.pg_database AS d
  JOIN pg_catalog.pg_roles AS me ON me.rolname = CURRENT_USER
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = :'schema'::name
  LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'pgqrs_migrations'::name
 WHERE d.datname = pg_catalog.current_database();
