/** Makes the Debian trees that this machine lacks, before the tests that need them: `npm test` runs it. */
import { skip } from './requirements.ts';
import { debianTree, debPackages, polkitPackages } from './tree.ts';

if (skip === false) {
  await Promise.all([
    debianTree('bookworm'),
    debianTree('trixie'),
    debianTree('trixie', debPackages),
    debianTree('trixie', polkitPackages),
  ]);
} else process.stderr.write(`netsteward: system tests: ${skip}\n`);
