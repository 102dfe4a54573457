/** `netsteward nft-agent -s PATH`, the drop-in for nbrpc-policy-nft.py: its flags, its socket, its protocol. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { agentCommand } from './nft-agent-entry.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const nft = (...words: string[]): string => execFileSync('nft', words, { encoding: 'utf8', stdio: 'pipe' });

function elements(set: string): readonly string[] {
  const listing = JSON.parse(nft('-j', 'list', 'set', 'inet', 'filter', set)) as {
    nftables: { set?: { elem?: string[] } }[];
  };
  return listing.nftables.flatMap((entry) => entry.set?.elem ?? []).sort();
}

interface Agent {
  readonly child: ChildProcessWithoutNullStreams;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exit: Promise<number | null>;
}

/** Waits until it listens, or has ended. */
async function start(...flags: readonly string[]): Promise<Agent> {
  const [program = '', ...args] = agentCommand;
  const child = spawn(program, [...args, ...flags]);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  const listening = new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      if (stderr.includes('listening on')) resolve();
    });
  });
  await Promise.race([listening, exit]);
  return { child, stdout: () => stdout, stderr: () => stderr, exit };
}

async function stop(agent: Agent, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  agent.child.kill(signal);
  return agent.exit;
}

/** The whole answer; `parts` are sent with a pause between them, and `end` says whether the sender then ends its side. */
function send(path: string, parts: readonly string[], end = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') resolve(answer);
      else reject(error);
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve(answer));
    void (async () => {
      for (const part of parts) {
        socket.write(part);
        await new Promise((wait) => setTimeout(wait, 20));
      }
      if (end) socket.end();
    })();
  });
}

const dump = [
  'na blocked.example 192.0.2.1 https',
  'na blocked.example 2001:db8::1 https',
  'ok fine.example 198.51.100.1 https',
  'ok fine.example 2001:DB8:0::2 http',
].join('\n');

if (!insideNamespace) {
  test('nft-agent -s serves policy dumps (in a namespace)', (t) => repeatInNamespace(t, import.meta.url));
} else {
  let folder = '';
  let path = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'nft-agent-'));
    path = join(folder, 'policy.sock');
  });
  after(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    const sets = ['ok4 ipv4_addr', 'na4 ipv4_addr', 'ok6 ipv6_addr', 'na6 ipv6_addr'].map((set) => set.split(' '));
    const text = sets.map(([name, type]) => `set ${name} { type ${type}; };`).join(' ');
    nft(`flush ruleset; table inet filter { ${text} }`);
  });

  test('a dump replaces the named sets and is answered OK, an empty one empties them', async () => {
    const agent = await start('-s', path, '-4', 'ok4:na4', '-6', 'ok6:na6');
    assert.equal(await send(path, [`${dump}\n\n`]), 'OK\n');
    assert.deepEqual(['ok4', 'na4', 'ok6', 'na6'].map(elements), [
      ['198.51.100.1'],
      ['192.0.2.1'],
      ['2001:db8::2'],
      ['2001:db8::1'],
    ]);
    assert.equal(await send(path, ['na blo', 'cked.example 192.0.2.9 https\n', '\n']), 'OK\n');
    assert.deepEqual(['ok4', 'na4', 'ok6', 'na6'].map(elements), [[], ['192.0.2.9'], [], []]);
    assert.equal(await send(path, ['\n\n']), 'OK\n');
    assert.deepEqual(elements('na4'), []);
    assert.equal(await stop(agent), 0);
    assert.equal(existsSync(path), false);
  });

  test('flags may be glued; a single name is for ok addresses, :name for na ones, and -p prints the script', async () => {
    const agent = await start(`-s${path}`, '-4ok4', '-6:na6', '-tfilter', '-finet', '-r2', '-p');
    assert.equal(await send(path, [`${dump}\n\n`]), 'OK\n');
    assert.deepEqual(['ok4', 'na4', 'ok6', 'na6'].map(elements), [['198.51.100.1'], [], [], ['2001:db8::1']]);
    assert.equal(await stop(agent, 'SIGINT'), 0);
    assert.equal(
      agent.stdout(),
      [
        'flush set inet filter ok4',
        'flush set inet filter na6',
        'add element inet filter ok4 { 198.51.100.1 }',
        'add element inet filter na6 { 2001:db8::1 }',
        '',
      ].join('\n'),
    );
  });

  test('of opposite verdicts the first line wins, with a warning', async () => {
    const agent = await start('-s', path, '-4', 'ok4:na4');
    assert.equal(await send(path, ['na a.example 192.0.2.1 https\nok b.example 192.0.2.1 https\n\n']), 'OK\n');
    assert.deepEqual([elements('ok4'), elements('na4')], [[], ['192.0.2.1']]);
    await stop(agent);
    assert.match(agent.stderr(), /warning: 192\.0\.2\.1 stays na, though b\.example says ok/);
  });

  test('a dump that is cut off, cannot be parsed, comes too slowly or names no address changes nothing and gets no OK', async () => {
    const agent = await start('-s', path, '-4', 'ok4:na4', '-r', '0.3');
    assert.equal(await send(path, [`${dump}\n\n`]), 'OK\n');
    const bad: readonly (readonly [readonly string[], boolean])[] = [
      [[], true],
      [[dump], true],
      [[`${dump}\n`], true],
      [[`${dump}\n`], false],
      [['na x.example 192.0.2.7 https\nrubbish\n\n'], false],
      [['na x.example 192.0.2.0/24 https\n\n'], false],
      [['na x.example 192.0.2.7; https\n\n'], false],
      [['na x.example 192.0.2.7\n\n'], false],
      [['na x.example 192.0.2.7 https more\n\n'], false],
      [['NA x.example 192.0.2.7 https\n\n'], false],
      [['na x\u001b[31m.example 192.0.2.7;\u001b[0m https\n\n'], false],
    ];
    for (const [parts, end] of bad) assert.equal(await send(path, parts, end), '', JSON.stringify(parts));
    assert.deepEqual(elements('na4'), ['192.0.2.1']);
    assert.equal(await send(path, ['na y.example 192.0.2.8 https\n\n']), 'OK\n');
    assert.deepEqual(elements('na4'), ['192.0.2.8']);
    assert.equal(await stop(agent), 0);
    assert.ok(!agent.stderr().includes('\u001b'));
  });

  test('dumps that come at the same time are applied one after the other, each whole', async () => {
    const agent = await start('-s', path, '-4', 'ok4:na4');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const lines = [1, 2, 3].map((host) => `na h.example 10.0.${i}.${host} https`);
        return send(path, [...lines.map((line) => `${line}\n`), '\n']);
      }),
    );
    assert.deepEqual(new Set(answers), new Set(['OK\n']));
    const left = elements('na4');
    assert.equal(left.length, 3);
    assert.equal(new Set(left.map((address) => address.split('.')[2])).size, 1);
    await stop(agent);
  });

  test('a set that does not exist refuses the dump with the reason, and the next one is served', async () => {
    const agent = await start('-s', path, '-4', 'ok4:nowhere');
    assert.equal(await send(path, [`${dump}\n\n`]), '');
    nft('add set inet filter nowhere { type ipv4_addr; }');
    assert.equal(await send(path, [`${dump}\n\n`]), 'OK\n');
    assert.deepEqual(elements('nowhere'), ['192.0.2.1']);
    await stop(agent);
    assert.match(agent.stderr(), /refused: .*No such file or directory/);
  });

  test('the socket of a killed agent is replaced; that of a living one, and any other file, is not', async () => {
    const killed = await start('-s', path, '-4', 'ok4');
    await stop(killed, 'SIGKILL');
    assert.equal(existsSync(path), true);
    const living = await start('-s', path, '-4', 'ok4');
    assert.equal(await send(path, [`${dump}\n\n`]), 'OK\n');
    const second = await start('-s', path, '-4', 'ok4');
    assert.equal(await second.exit, 1);
    assert.match(second.stderr(), /another process listens on/);
    assert.equal(await send(path, [`${dump}\n\n`]), 'OK\n');
    assert.equal(await stop(living), 0);
  });

  test('wrong flags end it with a message and exit code', async () => {
    for (const flags of [
      ['-s', path, '-f', 'nonsense'],
      ['-s', path, '-4', 'a:b:c'],
      ['-s', path, '-t', 'x; flush'],
      [],
    ]) {
      const agent = await start(...flags);
      assert.notEqual(await agent.exit, 0);
      assert.notEqual(agent.stderr(), '');
    }
    const file = join(folder, 'file');
    writeFileSync(file, 'precious');
    const agent = await start('-s', file);
    assert.equal(await agent.exit, 1);
    assert.match(agent.stderr(), /is not a socket/);
  });
}
