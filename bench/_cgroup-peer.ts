/** Runs in a container: keeps cgroups in the administrator's sets in another way than netsteward's, or netsteward's module through `nft -i`. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { cgroupNftModule } from '../src/cgroup-nft/index.ts';
import { composeCgroupNft } from '../src/cli/compose-cgroup-nft.ts';
import { openLog } from '../src/cli/log-output.ts';
import { openCgroupTree } from '../src/system/linux/cgroupfs.ts';
import { openNft } from '../src/system/linux/nft-open.ts';

/** As one who writes a script for it would: a new nft for each change. */
function apply(path: string): void {
  const set = `level${path.split('/').length}`;
  const nft = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'ignore'] });
  nft.stdin.end(`add element inet filter ${set} { "${path}" }\n`);
}

/** Units that are meant, and below which directories they stand. */
const meant = /^(?:measured|many@\d+)\.(?:service|scope)$/;
const folders = ['system.slice', 'system.slice/system-many.slice', process.argv[3] ?? ''];

async function inotify(): Promise<void> {
  const tree = await openCgroupTree();
  const look = (path: string): void => {
    if (meant.test(path.slice(path.lastIndexOf('/') + 1))) apply(path);
    else if (folders.includes(path)) follow(path);
  };
  const watch = tree.watch({
    created: look,
    removed: () => undefined,
    overflow: () => process.exit(3),
    failed: () => process.exit(3),
  });
  const follow = (path: string): void => {
    watch.add(path);
    for (const name of tree.children(path) ?? []) look(`${path}/${name}`);
  };
  for (const folder of folders) follow(folder);
}

/** The jobs that scnpm goes by. */
function journal(): void {
  const fields = ['SYSLOG_IDENTIFIER=systemd', 'JOB_RESULT=done', '+', 'SYSLOG_IDENTIFIER=systemd', 'JOB_TYPE=start'];
  const follow = spawn('journalctl', ['--follow', '--lines=0', '--output=json', ...fields], { stdio: 'pipe' });
  createInterface({ input: follow.stdout }).on('line', (line) => {
    const { UNIT, USER_UNIT } = JSON.parse(line) as { UNIT?: string; USER_UNIT?: string };
    const unit = UNIT ?? USER_UNIT ?? '';
    if (!meant.test(unit)) return;
    if (USER_UNIT !== undefined) apply(`${folders[2]}/${unit}`);
    else apply(`system.slice/${unit.startsWith('many@') ? 'system-many.slice/' : ''}${unit}`);
  });
}

/** `netsteward run` takes `nft -i` only where libnftables does not load. */
async function interactive(groups: string): Promise<void> {
  const parsed = await cgroupNftModule.parse({ group: [JSON.parse(groups)] });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const host = await composeCgroupNft(openLog(process.env).logger);
  await cgroupNftModule.start(
    parsed.config,
    { ...host, openNft: () => openNft('nft -i') },
    new AbortController().signal,
  );
}

const [, , kind = '', argument = ''] = process.argv;
if (kind === 'inotify') await inotify();
else if (kind === 'journal') journal();
else await interactive(argument);
