'use strict';
// How soon an idle worker has a job: from the enqueue's return, and from its call, to the handler's start; and beside it
// the round trip of the least that the server can be asked, at the same pace (an idle
// machine answers later than a busy one), and once without pauses.

const { liveOnce } = require('./life');
const { phase, figures } = require('./phase');
const { now } = require('../lib/usage');

const sleep = seconds => new Promise(resolve => setTimeout(resolve, Math.max(0, seconds) * 1000));
const patienceSeconds = 60;
const probeEverySeconds = 0.02;
const tightTrips = 200;

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

async function roundTrip(peer) {
  const before = now();
  await peer.ping();
  return now() - before;
}

// Without pauses.
async function tightRoundTrip(peer) {
  const trips = [];
  while (trips.length < tightTrips) trips.push(await roundTrip(peer));
  return percentile(trips, 0.5);
}

// Collects the moments of each job, by its number.
class Moments {
  constructor(count) {
    this.count = count;
    this.handled = 0;
    this.called = new Array(count).fill(0);
    this.returned = new Array(count).fill(0);
    this.started = new Array(count).fill(0);
    this.trips = [];
  }

  handle(number) {
    const moment = now();
    if (!(number >= 0 && number < this.count) || this.started[number] !== 0)
      throw new Error(`job ${number} was handed out, which is not there or was handed out before`);
    this.started[number] = moment;
    this.handled++;
  }

  async enqueue(peer, number) {
    this.called[number] = now();
    await peer.enqueueSingle(number);
    this.returned[number] = now();
  }

  async probe(peer) {
    this.trips.push(await roundTrip(peer));
  }

  async waitForAll() {
    for (const end = now() + patienceSeconds; this.handled < this.count;) {
      if (now() > end) throw new Error(`${this.handled} of ${this.count} jobs were handled a minute after the last was enqueued`);
      await sleep(0.005);
    }
  }

  figures() {
    const from = (prefix, moments) => {
      const times = this.started.map((started, number) => (started - moments[number]) * 1e6);
      return { [`${prefix}p50_us`]: percentile(times, 0.5), [`${prefix}p99_us`]: percentile(times, 0.99),
        [`${prefix}max_us`]: percentile(times, 1) };
    };
    return { ...from('', this.returned), ...from('from_call_', this.called),
      round_trip_us: percentile(this.trips, 0.5) * 1e6 };
  }
}

// One after the other, 50 to 130 ms apart, with a probe in each gap, as far from both jobs.
async function enqueueIdle(peer, moments) {
  for (let number = 0; number < moments.count; number++) {
    const gap = 0.05 + Math.random() * 0.08;
    await sleep(gap / 2);
    await moments.probe(peer);
    await sleep(gap / 2);
    await moments.enqueue(peer, number);
  }
}

// All callers together at `rate`, each at random moments; whoever is late enqueues at once.
async function enqueuePaced(peer, moments, callers, rate) {
  let next = 0;
  let enqueued = false;
  async function caller() {
    let due = now();
    while (next < moments.count) {
      const number = next++;
      due += (-Math.log(1 - Math.random()) * callers) / rate;
      if (due > now()) await sleep(due - now());
      await moments.enqueue(peer, number);
    }
  }
  async function prober() {
    while (!enqueued) {
      await sleep(probeEverySeconds);
      await moments.probe(peer);
    }
  }
  const probing = prober();
  await Promise.all(Array.from({ length: callers }, caller));
  enqueued = true;
  await probing;
}

// `rate` 0: idle. The handler of the worker that listens already is replaced by one that notes the moments.
async function measureOne(peer, part, worker, count, rate) {
  const moments = new Moments(count);
  worker.handler = number => moments.handle(number);
  if (rate === 0) await enqueueIdle(peer, moments);
  else await enqueuePaced(peer, moments, part.callers, rate);
  await moments.waitForAll();
  return moments.figures();
}

async function measurePickup(peer, part) {
  const { first, second } = await liveOnce(peer, part, part.jobs);
  const rate = part.jobs / (first.seconds + second.seconds) / 2;
  const worker = { handler: null };
  const stop = await peer.work(number => worker.handler(number));
  const load = async (jobs, pace) => {
    await sleep(0.3);
    const tight_round_trip_us = (await tightRoundTrip(peer)) * 1e6;
    let found;
    const spent = await phase(peer, async () => { found = await measureOne(peer, part, worker, jobs, pace); });
    return { tight_round_trip_us, ...found, ...figures(jobs, [spent]) };
  };
  const idle = await load(part.idle, 0);
  const half = await load(Math.max(20, Math.round(rate * part.seconds)), rate);
  await stop();
  return { idle, half };
}

module.exports = { measurePickup };
