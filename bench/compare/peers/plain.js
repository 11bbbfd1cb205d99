'use strict';
// The statements that one would write without a library, run by a client in C that does nothing else; see plain/.

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { spawn } = require('node:child_process');
const { payloadText } = require('../payload');
const PostgresPeer = require('./postgres');

const folder = path.join(__dirname, '..', 'plain');
const program = path.join(__dirname, '..', '..', '..', 'build', 'bench', 'compare', 'plain', 'plain-client');

class Plain extends PostgresPeer {
  constructor(part) {
    super(part);
    this.claim = part.peer === 'plain-unflushed' ? 'claim_unflushed' : 'claim';
    this.settings = `plain-client, ${part.callers} connections enqueue ${part.batch} a statement, ${part.workers} run ` +
      `${this.claim}.sql and finish.sql`;
    if (part.kind === 'pickup')
      this.settings = `plain-client, enqueue_notify.sql, one connection listens and wakes ${part.workers} workers`;
  }

  async setup() {
    const { callers, workers, batch } = this.part;
    await this.connect();
    await this.observer.query(fs.readFileSync(path.join(folder, 'create.sql'), 'utf8'));
    this.client = spawn(program, [folder, this.claim, callers, workers, batch, payloadText].map(String),
      { stdio: ['pipe', 'pipe', 'inherit'] });
    this.ended = new Promise((resolve, reject) => {
      this.client.on('error', reject);
      this.client.on('close', code => (code === 0 ? resolve() : reject(new Error(`plain-client ended with ${code}`))));
    });
    this.ended.catch(() => {}); // ask() and teardown() see it
    this.answers = readline.createInterface({ input: this.client.stdout })[Symbol.asyncIterator]();
  }

  // One command, one line of JSON. Its processor time is that of the client.
  async ask(command) {
    this.client.stdin.write(`${command}\n`);
    const { value, done } = await this.answers.next();
    if (done) await this.ended;
    const { cpu_seconds: client, ...said } = JSON.parse(value);
    return { ...said, client };
  }

  enqueueAll(jobs) {
    return this.ask(`enqueue ${jobs}`);
  }

  drain(jobs) {
    return this.ask(`drain ${jobs}`);
  }

  async work() {
    await this.ask('work');
    return () => this.ask('rest');
  }

  pickup(jobs, rate) {
    return this.ask(`pickup ${jobs} ${rate}`);
  }

  async teardown() {
    await this.expectNone('SELECT count(*) FROM plain_jobs');
    this.client.stdin.end();
    await this.ended;
    await this.disconnect();
  }
}

module.exports = Plain;
