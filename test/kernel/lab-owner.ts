/** Brings a lab up as a process of its own (for lab-life.test.ts): `lab-owner FOLDER attached|detached|tour`. */
import { Lab } from '../../src/lab/lab.ts';

const [stateDir = '', mode] = process.argv.slice(2);
const lab = await Lab.up({ stateDir, detached: mode === 'detached' });
if (mode === 'tour') {
  const said = ['up', (await lab.curl('video.example')).via];
  await lab.censor('video.example', 'rst');
  said.push((await lab.curl('video.example')).reason as never);
  const chain = `table inet t {
    chain c {
      type filter hook prerouting priority mangle
      iifname "lan" meta l4proto tcp meta mark set 0x10000
    }
  }`;
  const { code, stderr } = await lab.exec('router', ['nft', '-f', '-'], { stdin: chain });
  if (code !== 0) process.stderr.write(stderr);
  said.push((await lab.curl('video.example')).via);
  await lab.down();
  process.stdout.write(`${[...said, 'down'].join(' ')}\n`);
} else {
  process.stdout.write('up\n');
  // Ends by a signal only.
  setInterval(() => {}, 1000);
}
