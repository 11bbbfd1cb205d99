'use strict';
// From the rounds of a part to its figures.

const numbers = ['enqueue_per_second', 'finish_per_second', 'whole_life_per_second', 'log_bytes_per_job',
  'server_cpu_us_per_job', 'client_cpu_us_per_job'];

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

// The rounds during which other programs left the machine alone; all of them if there is none.
function quietRounds(rounds, limit) {
  const quiet = rounds.filter(round => round.others_cpu_share <= limit);
  return quiet.length > 0 ? quiet : rounds;
}

// The medians of the rounds that count, beside all rounds.
function summarise(part, limit) {
  const counted = quietRounds(part.rounds, limit);
  const medians = numbers.map(name => [name, median(counted.map(round => round[name]))]);
  return { ...part, ...Object.fromEntries(medians), rounds_counted: counted.length };
}

module.exports = { median, quietRounds, summarise };
