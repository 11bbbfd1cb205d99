'use strict';
// pg-boss. Its work() polls at most every half second, so the fast way is fetch() and complete().

const { PgBoss } = require('pg-boss');
const { payload } = require('../payload');
const PostgresPeer = require('./postgres');

class Boss extends PostgresPeer {
  constructor(part) {
    super(part);
    const insert = part.batch > 1 ? 'insert' : 'send';
    this.settings = `${insert}, fetch({ batchSize: ${part.batch} }), complete; a queue with a table of its own ` +
      '(partition: true), no schedules; completed jobs stay in the table, as they do by default';
  }

  async setup() {
    await this.connect();
    this.boss = new PgBoss({ host: process.env.PGHOST, user: process.env.PGUSER, database: process.env.PGDATABASE,
      max: this.poolSize, schedule: false });
    this.boss.on('error', error => {
      throw error;
    });
    await this.boss.start();
    await this.boss.createQueue('work', { partition: true });
  }

  enqueueSingle() {
    return this.boss.send('work', payload);
  }

  enqueueBulk(count) {
    return this.boss.insert('work', new Array(count).fill({ data: payload }));
  }

  async drain(count) {
    let left = count;
    const worker = async () => {
      while (left > 0) {
        const jobs = await this.boss.fetch('work', { batchSize: this.part.batch });
        if (jobs.length === 0) continue;
        await this.boss.complete('work', jobs.map(job => job.id));
        left -= jobs.length;
      }
    };
    await Promise.all(Array.from({ length: this.part.workers }, worker));
  }

  async teardown() {
    await this.expectNone("SELECT count(*) FROM pgboss.job WHERE name = 'work' AND state <> 'completed'");
    await this.boss.stop({ graceful: false });
    await this.disconnect();
  }
}

module.exports = Boss;
