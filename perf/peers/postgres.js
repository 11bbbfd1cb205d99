'use strict';
// What the peers on PostgreSQL share. The server is the one that libpq's environment names.

const { Client } = require('pg');

class PostgresPeer {
  constructor(part) {
    this.part = part;
    this.serverPid = Number(process.env.PERF_SERVER_PID);
    // One more than needed at once, so that nothing waits for a connection.
    this.poolSize = Math.max(part.callers, part.workers) + 1;
  }

  async connect() {
    this.observer = new Client();
    await this.observer.connect();
  }

  async checkpoint() {
    await this.observer.query('CHECKPOINT');
  }

  async analyze() {
    await this.observer.query('ANALYZE');
  }

  async ping() {
    await this.observer.query('SELECT 1');
  }

  async logBytes() {
    const result = await this.observer.query("SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes");
    return Number(result.rows[0].bytes);
  }

  // Fails if `sql`, a count of what should be gone, is not 0.
  async expectNone(sql) {
    const result = await this.observer.query(sql);
    const left = Number(Object.values(result.rows[0])[0]);
    if (left !== 0) throw new Error(`${left} jobs are left after all were to be finished: ${sql}`);
  }

  async disconnect() {
    await this.observer.end();
  }
}

module.exports = PostgresPeer;
