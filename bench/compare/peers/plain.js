'use strict';
// The statements that one would write without a library, run by pgbench: a client in C that does nothing else.

const fs = require('node:fs');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { payloadText } = require('../payload');
const PostgresPeer = require('./postgres');

const run = promisify(execFile);
const folder = path.join(__dirname, '..', 'plain');

class Plain extends PostgresPeer {
  constructor(part) {
    super(part);
    this.settings = `pgbench ${this.options('enqueue', part.jobs, part.callers).join(' ')}; then the same with work.sql`;
  }

  options(name, jobs, clients) {
    const each = Math.max(1, Math.round(jobs / this.part.batch / clients));
    return ['--no-vacuum', '--protocol=prepared', `--file=${name}.sql`, `--client=${clients}`, `--jobs=${clients}`,
      `--transactions=${each}`, `--define=batch=${this.part.batch}`];
  }

  async setup() {
    await this.connect();
    await this.observer.query(fs.readFileSync(path.join(folder, 'create.sql'), 'utf8'));
  }

  // Runs one of the scripts until all jobs went through it; answers with the seconds without connecting.
  async pgbench(name, jobs, clients) {
    const { stdout } = await run('pgbench', [...this.options(name, jobs, clients), `--define=payload=${payloadText}`],
      { cwd: folder });
    const rate = /^tps = ([0-9.]+) \(without initial connection time\)/m.exec(stdout);
    const done = /processed: ([0-9]+)\/([0-9]+)/.exec(stdout);
    if (rate === null || done === null || done[1] !== done[2])
      throw new Error(`pgbench did not run all transactions of ${name}.sql: ${stdout}`);
    return Number(done[1]) / Number(rate[1]);
  }

  enqueueAll(jobs) {
    return this.pgbench('enqueue', jobs, this.part.callers);
  }

  drain(jobs) {
    return this.pgbench('work', jobs, this.part.workers);
  }

  async teardown() {
    await this.expectNone('SELECT count(*) FROM plain_jobs');
    await this.disconnect();
  }
}

module.exports = Plain;
