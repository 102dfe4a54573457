/** Looks again and again whether a cgroup's id is in a set; ends when its input does, and prints how often it looked and missed. */
import { openCgroupTree } from '../../src/system/linux/cgroupfs.ts';
import { NetlinkKernelSets } from '../../src/system/linux/kernel-sets.ts';

const [family, name = '', set = '', path = ''] = process.argv.slice(2);
if (family !== 'inet') throw new Error(`not inet: ${family}`);
const kernel = await NetlinkKernelSets.open();
const id = (await openCgroupTree()).id(path);
if (id === undefined) throw new Error(`no cgroup ${path}`);
let ended = false;
process.stdin.on('end', () => {
  ended = true;
});
process.stdin.resume();
process.stdout.write('looking\n');
let looks = 0;
let missed = 0;
while (!ended) {
  for (let at = 0; at < 50; at++) {
    looks += 1;
    if (kernel.cgroups({ family, name }, set)?.has(id) !== true) missed += 1;
  }
  await new Promise((resolve) => setImmediate(resolve));
}
process.stdout.write(`${JSON.stringify({ looks, missed })}\n`);
kernel.close();
