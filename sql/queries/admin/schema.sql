-- Why the version could not be read, or what an installation would meet.
-- Returns: the schema exists; pgqrs' table of migrations exists; the database's encoding is UTF8; the owner of that table, if
-- nothing vouches for it (NULL: something does, or there is no table); whether everybody may create in the schema.
-- Whoever may create in a schema can put tables there that look like ours. What vouches for an owner: it is this user, or a role
-- whose rights this user was given, a superuser, or the owner of the schema or of the database.
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
