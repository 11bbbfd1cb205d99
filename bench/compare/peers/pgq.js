'use strict';
// PgQ, Debian's package. A log, not a queue of jobs: one consumer reads whole batches between two ticks and finishes
// each at once; there is no claim, lease, retry count or state for one job, and workers do not share a batch.

const { Pool } = require('pg');
const { payloadText } = require('../payload');
const PostgresPeer = require('./postgres');

const tickEveryMs = 100;

class Pgq extends PostgresPeer {
  settings = 'one consumer, pgq.next_batch, get_batch_events and finish_batch; pgq.ticker() every 100 ms; bulk ' +
    'inserts into pgq.current_event_table()';

  async setup() {
    await this.connect();
    await this.observer.query('CREATE EXTENSION pgq');
    await this.observer.query("SELECT pgq.create_queue('work')");
    await this.observer.query("SELECT pgq.register_consumer('work', 'worker')");
    this.pool = new Pool({ max: this.poolSize });
    await Promise.all(Array.from({ length: this.poolSize }, () => this.pool.query('SELECT pg_sleep(0.05)')));
    this.ticking = this.tick();
  }

  // What the daemon pgqd does: it asks often, and PgQ decides whether a tick is due.
  async tick() {
    while (!this.stopped) {
      await this.pool.query({ name: 'tick', text: "SELECT pgq.ticker('work')" });
      await new Promise(resolve => setTimeout(resolve, tickEveryMs));
    }
  }

  async enqueueSingle() {
    await this.pool.query({ name: 'insert', text: "SELECT pgq.insert_event('work', 'job', $1)", values: [payloadText] });
  }

  // PgQ's own bulk_insert_events does this with COPY.
  async enqueueBulk(count) {
    if (this.insert === undefined) {
      const table = await this.pool.query("SELECT pgq.current_event_table('work') AS name");
      this.insert = `INSERT INTO ${table.rows[0].name} (ev_time, ev_type, ev_data) ` +
        "SELECT now(), 'job', unnest($1::text[])";
    }
    await this.pool.query({ name: 'bulk', text: this.insert, values: [new Array(count).fill(payloadText)] });
  }

  // Makes a tick now, so that all that is there can be read.
  async tickNow() {
    await this.pool.query("SELECT pgq.force_tick('work')");
    await this.pool.query("SELECT pgq.ticker('work')");
  }

  // Reads and finishes one batch; answers with its size, or null if there is none before the next tick.
  async readBatch(client) {
    const next = await client.query({ name: 'next', text: "SELECT pgq.next_batch('work', 'worker') AS id" });
    const values = [next.rows[0].id];
    if (values[0] === null) return null;
    const events = await client.query({ name: 'events', text: 'SELECT * FROM pgq.get_batch_events($1)', values });
    await client.query({ name: 'finish', text: 'SELECT pgq.finish_batch($1)', values });
    return events.rows.length;
  }

  async drain(count) {
    let left = count;
    const client = await this.pool.connect();
    await this.tickNow();
    while (left > 0) {
      const size = await this.readBatch(client);
      if (size === null) await new Promise(resolve => setTimeout(resolve, 10));
      else left -= size;
    }
    client.release();
    if (left < 0) throw new Error(`${-left} events more than were inserted have been read`);
  }

  async teardown() {
    this.stopped = true;
    await this.ticking;
    await this.tickNow();
    for (let size = 0; size !== null; size = await this.readBatch(this.pool))
      if (size > 0) throw new Error(`${size} events were left after all were to be read`);
    await this.pool.end();
    await this.disconnect();
  }
}

module.exports = Pgq;
