'use strict';
// From the rounds of a part to its figures.

const { median } = require('../lib/figures');

// The rounds during which other programs left the machine alone; all of them if there is none.
function quietRounds(rounds, limit) {
  const quiet = rounds.filter(round => round.others_cpu_share <= limit);
  return quiet.length > 0 ? quiet : rounds;
}

// The median of each number that the rounds have, at any depth; a longest time is the longest of all.
function mediansOf(rounds) {
  const names = Object.keys(rounds[0]).filter(name => name !== 'others_cpu_share');
  return Object.fromEntries(names.map(name => {
    const values = rounds.map(round => round[name]);
    if (typeof values[0] !== 'number') return [name, mediansOf(values)];
    return [name, name.endsWith('max_us') ? Math.max(...values) : median(values)];
  }));
}

// The medians of the rounds that count, beside all rounds.
function summarise(part, limit) {
  const figures = mediansOf(quietRounds(part.rounds, limit));
  return { ...part, ...figures, rounds: part.rounds };
}

module.exports = { quietRounds, summarise };
