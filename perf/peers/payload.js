'use strict';
// The job's payload: JSON text of 100 bytes, of letters that do not compress well, the same for every peer.

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function makePayload(bytes) {
  let state = 88172645463325252n;
  let text = '';
  while (text.length < bytes - '{"data":""}'.length) {
    state = BigInt.asUintN(64, state ^ (state << 13n));
    state ^= state >> 7n;
    state = BigInt.asUintN(64, state ^ (state << 17n));
    text += letters[Number(state >> 58n)];
  }
  return { data: text };
}

const payload = makePayload(100);

// With a number, by which its handler knows it again.
const numbered = number => (number === undefined ? payload : { n: number, ...payload });

module.exports = { payload, numbered, payloadText: JSON.stringify(payload) };
