/** Units that connect the moment they start: how many are refused first, and how late the rules are; on a quiet machine and on one without idle time. */
import { type Container, type ContainerOptions, withBpf } from '../test/system/container.ts';
import { connecting } from '../test/system/packets.ts';
import type { UserSession } from '../test/system/user-session.ts';
import {
  begin,
  benchContainer,
  bySystemd,
  cells,
  type Delays,
  delaysOf,
  end,
  file,
  floor,
  inComments,
  interactive,
  journal,
  load,
  ownTable,
  spawned,
  take,
  unitText,
  userFile,
  type Way,
} from './_cgroup-ways.ts';
import { printTable } from './_figures.ts';

/** Runs of each kind in each way; each round has a part of them, the ways taking turns. */
const rounds = Number(process.env.ROUNDS ?? 4);
const inRound = 50;

const kinds = ['simple', 'notify', 'oneshot', 'scope', 'user service'] as const;
type Kind = (typeof kinds)[number];

/** Starts one after the other within the container, so that nothing but a shell takes part; the file has a line for each when it is through. */
const loop = `count=$1 file=$2; shift 2
i=0
while [ $i -lt $count ]; do
  i=$((i + 1))
  "$@"
  until [ -f $file ] && [ $(wc -l < $file) -ge $i ]; do sleep 0.02; done
  sleep 0.05
done
`;

/** More lines of the unit file, in the ways that need some. */
const extra = new Map<Way, string>([[bySystemd, 'NFTSet=cgroup:inet:filter:level2\n']]);

async function starts(box: Container, alice: UserSession, kind: Kind, way: Way): Promise<Delays> {
  const script = (to: string, ...argv: readonly string[]): string[] => {
    return ['sh', '-euc', loop, 'sh', `${inRound}`, to, ...argv];
  };
  const options = { timeout: 300_000 };
  if (kind === 'user service') {
    await alice.run(script(userFile, 'systemctl', '--user', 'restart', 'measured.service'), options);
    return delaysOf(await take(box, userFile, inRound));
  }
  if (kind === 'scope') {
    const scope = ['systemd-run', '--quiet', '--scope', '--unit=measured.scope', '--collect'];
    const argv = connecting(file, '-t 2').split(' ').filter(Boolean);
    await box.run(script(file, ...scope, 'sh', '-c', '"$@" || :', 'sh', ...argv).map(String), options);
  } else {
    const flags = kind === 'notify' ? '-n' : '';
    const text = unitText(file, { type: kind, flags }) + (extra.get(way) ?? '');
    await box.write('/etc/systemd/system/measured.service', text);
    await box.run(['systemctl', 'daemon-reload']);
    await box.run(script(file, 'sh', '-c', 'systemctl restart measured.service || :'), options);
  }
  return delaysOf(await take(box, file, inRound));
}

function together(parts: readonly Delays[]): Delays {
  return parts.reduce((sum, part) => ({
    runs: sum.runs + part.runs,
    refused: sum.refused + part.refused,
    never: sum.never + part.never,
    delays: [...sum.delays, ...part.delays],
  }));
}

/** Ways and kinds in turns. */
async function measured(
  box: Container,
  alice: UserSession,
  ways: readonly Way[],
  measuredKinds: readonly Kind[],
): Promise<readonly (readonly string[])[]> {
  const parts = new Map<string, Delays[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const way of ways) {
      await begin(box, way);
      for (const kind of measuredKinds) {
        const key = `${way.name} ${kind}`;
        parts.set(key, [...(parts.get(key) ?? []), await starts(box, alice, kind, way)]);
      }
      await end(box, way);
    }
  }
  return ways.flatMap((way) =>
    measuredKinds.map((kind) => [way.name, kind, ...cells(together(parts.get(`${way.name} ${kind}`) ?? []))]),
  );
}

const header = ['way', 'kind', 'first connection refused', 'delay ms p50 / p95 / max'];
const files = { '/etc/systemd/user/measured.service': unitText('%h/connection') };

async function table(
  title: string,
  options: ContainerOptions,
  ways: readonly Way[],
  measuredKinds: readonly Kind[],
  loops = 0,
): Promise<void> {
  const { box, alice } = await benchContainer(files, options);
  try {
    const before = await load();
    for (let count = 0; count < loops; count += 1) box.spawn(['sh', '-c', 'while :; do :; done']);
    const rows = await measured(box, alice, ways, measuredKinds);
    process.stdout.write(`${title} (load before ${before}, after ${await load()})\n\n`);
    printTable(header, rows);
    process.stdout.write('\n');
  } finally {
    await box.stop();
  }
}

await table('quiet, systemd 252', {}, [floor, ownTable, interactive, inComments, spawned, journal], kinds);
const withKeys = (keys: string): string => `${ownTable.toml?.replace('[cgroup-nft]\n', `[cgroup-nft]\n${keys}\n`)}`;
const nice20 = { ...ownTable, name: 'netsteward, own table, nice -20 alone', toml: withKeys('realtime = false') };
const nice0 = { ...ownTable, name: 'netsteward, own table, nice 0', toml: withKeys('realtime = false\nnice = 0') };
const busy = [floor, ownTable, nice20, nice0, inComments];
await table('four busy loops on two cores', {}, busy, ['simple', 'oneshot'], 4);
const debian13 = { tree: 'trixie', nspawn: withBpf } as const;
await table('quiet, systemd 257', debian13, [floor, bySystemd, ownTable, inComments], ['simple', 'notify', 'oneshot']);
