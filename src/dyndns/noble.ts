/** @noble/ed25519 with its hash in place: it brings none, and its synchronous calls throw without one. */
import * as ed25519 from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';

ed25519.hashes.sha512 = sha512;

export { ed25519 };
