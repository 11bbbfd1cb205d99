'use strict';
// PgQ, Debian's package. A log, not a queue of jobs: one consumer reads whole batches between two ticks and finishes
// each at once; there is no claim, lease, retry count or state for one job, and workers do not share a batch.

const { Pool } = require('pg');
const { numbered, payloadText } = require('./payload');
const PostgresPeer = require('./postgres');

const tickEveryMs = 100;
// For a low latency a tick, if anything is there, and a look at it every few milliseconds. A tick that overtakes an insert
// misses it, and then only an idle tick brings it.
const soonMs = 5;
const soonTicks = [['ticker_max_lag', '0'], ['ticker_idle_period', '20 ms']];

class Pgq extends PostgresPeer {
  constructor(part) {
    super(part);
    this.soon = part.kind === 'pickup';
    this.settings = this.soon
      ? `one consumer, next_batch every ${soonMs} ms; pgq.ticker() every ${soonMs} ms, ` +
        soonTicks.map(([name, value]) => `${name} ${value}`).join(', ')
      : `one consumer, pgq.next_batch, get_batch_events and finish_batch; pgq.ticker() every ${tickEveryMs} ms; bulk ` +
        'inserts into pgq.current_event_table()';
  }

  async setup() {
    await this.connect();
    await this.observer.query('CREATE EXTENSION pgq');
    await this.observer.query("SELECT pgq.create_queue('work')");
    await this.observer.query("SELECT pgq.register_consumer('work', 'worker')");
    for (const [name, value] of this.soon ? soonTicks : [])
      await this.observer.query("SELECT pgq.set_queue_config('work', $1, $2)", [name, value]);
    this.pool = new Pool({ max: this.poolSize });
    await Promise.all(Array.from({ length: this.poolSize }, () => this.pool.query('SELECT pg_sleep(0.05)')));
    this.ticking = this.tick();
  }

  // What the daemon pgqd does: it asks often, and PgQ decides whether a tick is due.
  async tick() {
    while (!this.stopped) {
      await this.pool.query({ name: 'tick', text: "SELECT pgq.ticker('work')" });
      await new Promise(resolve => setTimeout(resolve, this.soon ? soonMs : tickEveryMs));
    }
  }

  async enqueueSingle(number) {
    const values = [number === undefined ? payloadText : JSON.stringify(numbered(number))];
    await this.pool.query({ name: 'insert', text: "SELECT pgq.insert_event('work', 'job', $1)", values });
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
  async readBatch(client, handler = () => {}) {
    const next = await client.query({ name: 'next', text: "SELECT pgq.next_batch('work', 'worker') AS id" });
    const values = [next.rows[0].id];
    if (values[0] === null) return null;
    const events = await client.query({ name: 'events', text: 'SELECT * FROM pgq.get_batch_events($1)', values });
    for (const event of events.rows) handler(event);
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

  async work(handler) {
    let stopped = false;
    const loop = async () => {
      const client = await this.pool.connect();
      while (!stopped) {
        const size = await this.readBatch(client, event => handler(JSON.parse(event.ev_data).n));
        if (size === null) await new Promise(resolve => setTimeout(resolve, soonMs));
      }
      client.release();
    };
    const working = loop();
    return async () => {
      stopped = true;
      await working;
    };
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
