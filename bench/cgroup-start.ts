/** Units that connect the moment they start: how many are refused first, and how late the rules are; on a quiet machine and on one without idle time. */
import type { Container } from '../test/system/container.ts';
import { connecting } from '../test/system/packets.ts';
import type { UserSession } from '../test/system/user-session.ts';
import {
  begin,
  benchContainer,
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

async function starts(box: Container, alice: UserSession, kind: Kind): Promise<Delays> {
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
    await box.write('/etc/systemd/system/measured.service', unitText(file, { type: kind, flags }));
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
        parts.set(key, [...(parts.get(key) ?? []), await starts(box, alice, kind)]);
      }
      await end(box, way);
    }
  }
  return ways.flatMap((way) =>
    measuredKinds.map((kind) => [way.name, kind, ...cells(together(parts.get(`${way.name} ${kind}`) ?? []))]),
  );
}

const header = ['way', 'kind', 'first connection refused', 'delay ms p50 / p95 / max'];
const { box, alice } = await benchContainer({
  '/etc/systemd/user/measured.service': unitText('%h/connection'),
});
try {
  const before = await load();
  const ways = [floor, ownTable, interactive, inComments, spawned, journal];
  printTable(header, await measured(box, alice, ways, kinds));
  process.stdout.write(`\nload before ${before}, after ${await load()}\n\n`);
  const busy = Array.from({ length: 4 }, () => box.spawn(['sh', '-c', 'while :; do :; done']));
  const at = (name: string, nice: number): Way => {
    return { ...ownTable, name, toml: `${ownTable.toml?.replace('[cgroup-nft]\n', `[cgroup-nft]\nnice = ${nice}\n`)}` };
  };
  const waysWhenBusy = [
    floor,
    at('netsteward, own table, nice -20 (default)', -20),
    at('netsteward, own table, nice 0', 0),
    inComments,
  ];
  printTable(header, await measured(box, alice, waysWhenBusy, ['simple', 'oneshot']));
  for (const one of busy) one.killAll();
} finally {
  await box.stop();
}
