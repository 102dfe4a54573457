/** Bad input, against the program as it is built: one clear message, the last good state in force, nothing half applied. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { packagedSqlite } from '../../src/system/linux/sqlite.ts';
import { mainJs } from '../checkout.ts';
import { eventually } from '../system/eventually.ts';
import { administratorsSets, elements, HostileFolder, nft, ownTable, wireNowhere } from './hostile-daemon.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const own = 'netsteward-nbrpc';

if (!insideNamespace) {
  test('bad input is told clearly, and changes nothing', (t) => repeatInNamespace(t, import.meta.url));
} else {
  before(wireNowhere);

  const inFolder = (name: string, play: (folder: HostileFolder) => Promise<void>, sink = ownTable): void => {
    test(name, async () => {
      const folder = new HostileFolder(sink);
      try {
        await play(folder);
      } finally {
        await folder.remove();
        nft('flush', 'ruleset');
      }
    });
  };

  inFolder('hostile tokens reject their version of the list, harm nobody and reach no terminal raw', async (folder) => {
    nft('add table inet admin; add chain inet admin input { type filter hook input priority 0; };');
    const daemon = await folder.run().ready();
    await eventually('the good list is routed', () => elements(own, 'blocked4')?.join() === '8.1.0.1');
    const witness = join(folder.path, 'witness');
    const tokens = [
      '"; flush ruleset',
      `$(touch ${witness}) \`touch ${witness}\` ;touch ${witness}; |touch ${witness}`,
      "x'; DROP TABLE hosts; --",
      '../../etc/passwd /etc/passwd',
      '-oProxyCommand=x',
      'a.example\0b.example',
      '\x1b[31mred.example\x1b]0;title\x07',
      '\u202egnp.example',
      'c1\u009b31m.example',
      'a.example>af-all;flush',
      'a.example:https/\x1b[2J',
      'a'.repeat(2_000_000),
    ];
    for (const token of tokens) {
      folder.writeList(`8.1.0.9=na\n8.1.0.8=na ${token}\n`);
      const shown = JSON.stringify(token.slice(0, 40));
      await eventually(`${shown} is reported`, async () => {
        const { warnings } = await daemon.status();
        return warnings.some(
          ({ code, text }) => code === 'check-list-rejected' && /services\.list was not taken: 2:\d+: /.test(text),
        );
      });
      assert.deepEqual(elements(own, 'blocked4'), ['8.1.0.1'], shown);
      folder.writeList('8.1.0.1=na\n');
      await eventually(
        `after ${shown} the list is good again`,
        async () => (await daemon.status()).warnings.length === 0,
      );
    }
    folder.writeList(Buffer.from('8.1.0.9=na \xff\xfe', 'latin1'));
    assert.match(await daemon.warning('check-list-rejected'), /services\.list was not taken: not UTF-8 text/);
    const raw = /(?!\n)[\p{Cc}\u202a-\u202e]/u;
    assert.doesNotMatch(daemon.log, raw);
    const status = spawnSync(
      process.execPath,
      [...folder.command('status').slice(1, 3), '--socket', join(folder.path, 'control.sock')],
      { encoding: 'utf8' },
    );
    assert.equal(status.status, 0, status.stderr);
    assert.match(status.stdout, /not UTF-8 text; its previous version stays in force/);
    assert.doesNotMatch(status.stdout, raw);
    assert.deepEqual(readdirSync(folder.path).includes('witness'), false);
    assert.match(nft('list', 'ruleset'), /table inet admin/);
    assert.equal((await daemon.end('SIGTERM')).code, 0);
  });

  inFolder('a configuration with ten mistakes names all ten with their places, and nothing starts', async (folder) => {
    const mistakes = [
      '[log]',
      'level = "loud"',
      'colour = true',
      '[control]',
      'socket = 7',
      '[nbrpc]',
      'check_lists = "services.list"',
      'state = 1',
      'default_policy = "af-none"',
      'on_stop = "burn"',
      '[nbrpc.timers]',
      'pass = "4 parsecs"',
      'host_adrs = "7m"',
      '[nbrpc.table]',
      'mark = "one"',
    ];
    writeFileSync(folder.config, `${mistakes.join('\n')}\n`);
    for (const command of ['check', 'run']) {
      const [program = '', ...args] = folder.command(command);
      const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 20_000 });
      assert.equal(status, 78, stdout + stderr);
      const places = [...stderr.matchAll(/^\S*netsteward\.toml:(\d+):\d+: \S/gm)].map((match) => Number(match[1]));
      assert.deepEqual(places, [2, 3, 5, 7, 8, 9, 10, 12, 13, 15], stderr);
    }
    assert.equal(nft('list', 'tables'), '');
    assert.deepEqual(readdirSync(join(folder.path, 'state')), []);
  });

  const rulesets = [
    { what: 'without the table', ruleset: '', says: /the ruleset has no table inet filter/ },
    {
      what: 'with the table in another family',
      ruleset: 'table ip filter { set blocked4 { type ipv4_addr; }; }',
      says: /the ruleset has no table inet filter/,
    },
    {
      what: 'without one of the sets',
      ruleset: 'table inet filter { set blocked4 { type ipv4_addr; }; }',
      says: /the table inet filter has no set blocked6 \(Add it to the ruleset: set blocked6 \{ type ipv6_addr; \}\)/,
    },
    {
      what: 'with a set of another type',
      ruleset: 'table inet filter { set blocked4 { type ipv4_addr; }; set blocked6 { type ipv4_addr; }; }',
      says: /the set inet filter blocked6 is of type ipv4_addr, not ipv6_addr/,
    },
  ];
  for (const { what, ruleset, says } of rulesets) {
    inFolder(
      `a ruleset ${what} stays untouched, and netsteward starts by itself once it is mended`,
      async (folder) => {
        if (ruleset !== '') nft(ruleset);
        const before = nft('list', 'ruleset');
        const daemon = folder.run();
        await daemon.says(says);
        assert.equal(nft('list', 'ruleset'), before);
        assert.match(await daemon.warning('module-restarting'), says);
        const host = folder.check('--host');
        assert.equal(host.code, 1, host.output);
        assert.match(host.output, /ERROR .*blocked6/);
        nft('flush', 'ruleset');
        nft('table inet filter { set blocked4 { type ipv4_addr; }; set blocked6 { type ipv6_addr; }; }');
        await daemon.ready();
        await eventually('the set is filled', () => elements('filter', 'blocked4')?.join() === '8.1.0.1');
        assert.equal((await daemon.end('SIGTERM')).code, 0);
      },
      administratorsSets,
    );
  }

  inFolder('without CAP_NET_ADMIN it says so, and what would help', async (folder) => {
    const daemon = folder.run([], ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin']);
    await daemon.says(/lacks CAP_NET_ADMIN \(Run it as root, or give its unit AmbientCapabilities=CAP_NET_ADMIN\.\)/);
    assert.equal(nft('list', 'tables'), '');
    assert.equal((await daemon.end('SIGTERM')).code, 0);
  });

  inFolder('without nftables it names the package', async (folder) => {
    const bin = join(folder.path, 'bin');
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, 'node'));
    // nft is looked for in the usual folders of root too, whatever PATH says.
    const hide =
      'for l in /usr/lib/*/libnftables.so.1*; do mount --bind /dev/null "$l"; done; mount -t tmpfs none /usr/sbin;' +
      'PATH=$1; shift; exec "$@"';
    const daemon = folder.run([], ['unshare', '-m', 'bash', '-c', hide, 'bash', bin]);
    await daemon.says(/nftables is not installed: .*\(Install the package nftables/);
    assert.equal((await daemon.end('SIGTERM')).code, 0);
  });

  const sqlite = (path: string, statement: string): void => {
    const script =
      'const { SqliteStore } = await import(process.argv[1]); const d = new SqliteStore().open(process.argv[2]);' +
      'd.exec(process.argv[3]); d.close();';
    const adapter = new URL('../../src/system/linux/sqlite.js', import.meta.url).href;
    const done = spawnSync(process.execPath, ['--input-type=module', '-e', script, adapter, path, statement], {
      encoding: 'utf8',
    });
    assert.equal(done.status, 0, done.stderr);
  };
  const anotherProgram = (path: string): void => {
    const { connect } = packagedSqlite();
    rmSync(path);
    const theirs = connect(`${path}.theirs`);
    theirs.exec("PRAGMA journal_mode = WAL; CREATE TABLE hosts (host); INSERT INTO hosts VALUES ('a.example')");
    // As it leaves it when it is killed.
    for (const log of ['', '-wal']) copyFileSync(`${path}.theirs${log}`, path + log);
    theirs.close();
    for (const log of ['', '-wal', '-shm']) rmSync(`${path}.theirs${log}`, { force: true });
  };
  const states = [
    {
      what: 'is text',
      opens: false,
      make: (path: string) => writeFileSync(path, 'not a database, but longer than its header would be\n'.repeat(10)),
      says: /nbrpc\.db is not an SQLite database \(Name another state file, or move that one away\.\)/,
    },
    {
      what: 'is a database of another program, left with its log',
      opens: false,
      make: anotherProgram,
      says: /nbrpc\.db is an SQLite database of some other program.* \(Name another state file/,
    },
    {
      what: 'is of a newer version',
      opens: false,
      make: (path: string) => sqlite(path, 'PRAGMA user_version = 99'),
      says: /nbrpc\.db is of version 99, this netsteward knows versions up to \d+ \(Run the newer netsteward/,
    },
    {
      what: 'is truncated',
      opens: false,
      make: (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 6000)),
      says: /nbrpc\.db is damaged: it lacks \d+ byte\(s\) at its end \(Restore the file from a copy, or move it away/,
    },
    {
      what: 'is rubbish behind its header',
      opens: false,
      make: (path: string) => writeFileSync(path, readFileSync(path).fill(0xa5, 200)),
      says: /nbrpc\.db is damaged: .*malformed \(Restore the file from a copy, or move it away/,
    },
    {
      what: 'is a folder',
      opens: false,
      make: (path: string) => {
        rmSync(path);
        mkdirSync(path);
      },
      says: /nbrpc\.db is a folder, not a file \(Name a file of its own for the state\.\)/,
    },
    {
      what: 'is a FIFO',
      opens: false,
      make: (path: string) => {
        rmSync(path);
        spawnSync('mkfifo', [path]);
      },
      says: /nbrpc\.db is a FIFO, not a file \(Name a file of its own for the state\.\)/,
    },
    {
      what: 'holds a host name with an nft command',
      opens: true,
      make: (path: string) => sqlite(path, `UPDATE hosts SET name = 'a"; flush ruleset' || char(27) || '[31m'`),
      says: /nbrpc\.db is damaged: .* is no host name \(Restore the file/,
    },
  ];
  for (const { what, opens, make, says } of states) {
    inFolder(`a state file that ${what} is refused, and nothing is made of it`, async (folder) => {
      const first = await folder.run().ready();
      await eventually('the state is there', () => elements(own, 'blocked4')?.join() === '8.1.0.1');
      assert.equal((await first.end('SIGTERM')).code, 0);
      make(folder.state);
      const files = () => {
        const names = readdirSync(join(folder.path, 'state'));
        const plain = (name: string) => statSync(join(folder.path, 'state', name)).isFile();
        return names.map((name) => [name, plain(name) ? readFileSync(join(folder.path, 'state', name), 'hex') : '']);
      };
      const before = files();
      const daemon = folder.run();
      await daemon.says(says);
      assert.match(await daemon.warning('module-restarting'), says);
      assert.equal((await daemon.end('SIGTERM')).code, 0);
      if (!opens) assert.deepEqual(files(), before, 'it was written to');
      assert.ok(!daemon.log.includes('\x1b'));
    });
  }

  inFolder('a state file that is removed while netsteward runs is back with the next pass, whole', async (folder) => {
    const daemon = await folder.run().ready();
    await eventually('the state is there', () => elements(own, 'blocked4')?.join() === '8.1.0.1');
    rmSync(join(folder.path, 'state'), { recursive: true });
    // It is told once the new one is whole.
    assert.match(await daemon.warning('state-file-replaced'), /nbrpc\.db/);
    assert.ok(existsSync(folder.state));
    await daemon.end('SIGKILL');
    const print = spawnSync(process.execPath, [mainJs, 'nbrpc', '-d', folder.state, '-P'], { encoding: 'utf8' });
    assert.match(print.stdout, /^8\.1\.0\.1 \[https blocked @ .*\]:\n [ *]8\.1\.0\.1 ::/m, print.stderr);
  });

  inFolder('killed between a zone file and its reload, it has it reloaded at the next start, once', async (folder) => {
    const [zone, reloads, hang] = ['zone', 'reloads', 'hang'].map((name) => join(folder.path, name)) as Three;
    const script = `echo x >>${reloads}; while test -e ${hang}; do sleep 0.1; done`;
    const lines = [`file = "${zone}"`, 'format = "hosts"', `reload = ["sh", "-c", ${JSON.stringify(script)}]`];
    folder.writeConfig([...ownTable, '[[nbrpc.zone]]', ...lines]);
    const reloaded = (times: number) => eventually(`${times} reloads`, () => readText(reloads) === 'x\n'.repeat(times));
    writeFileSync(hang, '');
    const killed = folder.run();
    await reloaded(1);
    assert.match(readText(zone), /8\.1\.0\.1/);
    await killed.end('SIGKILL');
    rmSync(hang);
    const second = await folder.run().ready();
    await reloaded(2);
    assert.equal((await second.end('SIGTERM')).code, 0);
    const third = await folder.run().ready();
    folder.writeList('8.1.0.1=na 8.1.0.2=na\n');
    await reloaded(3);
    assert.match(readText(zone), /8\.1\.0\.2/);
    assert.equal((await third.end('SIGTERM')).code, 0);
  });

  inFolder('a second netsteward is refused: by the control socket, and by the table', async (folder) => {
    const first = await folder.run().ready();
    await eventually('the first one routes', () => elements(own, 'blocked4')?.join() === '8.1.0.1');
    const same = folder.run();
    assert.equal((await same.ended).code, 1);
    assert.match(same.log, /another netsteward is running: it listens on \S+control\.sock\nStop it first/);
    const other = folder.run(['--set', 'control.socket="/tmp/netsteward-hostile-other.sock"']);
    await other.says(/the table inet netsteward-nbrpc belongs to another living process .*Stop the other netsteward/);
    assert.deepEqual(elements(own, 'blocked4'), ['8.1.0.1']);
    assert.equal((await other.end('SIGTERM')).code, 0);
    folder.writeList('8.1.0.1=na 8.1.0.2=na\n');
    await eventually('the first one goes on', () => elements(own, 'blocked4')?.join() === '8.1.0.1,8.1.0.2');
    assert.equal((await first.end('SIGTERM')).code, 0);
  });

  inFolder(
    'killed again and again amid flips, it leaves no agent and no lock, and comes back right',
    async (folder) => {
      const many = Array.from({ length: 40 }, (_, index) => `8.1.1.${index}=na`).join('\n');
      const agents: number[] = [];
      for (let round = 0; round < 12; round++) {
        folder.writeList(round % 2 === 0 ? many : '8.1.0.1=na\n');
        const daemon = folder.run(['--set', 'nbrpc.limits.iter_hosts=100', '--set', 'nbrpc.limits.iter_addrs=100']);
        // A different moment each round: from the first line of the log to well after the sets were filled.
        await daemon.says([/starts with/, /nft-table/, /ready/, /check-list|running/][round % 4] ?? /ready/);
        agents.push(...daemon.children());
        await daemon.end('SIGKILL');
      }
      folder.writeList('8.1.0.1=na\n');
      assert.ok(agents.length >= 6, `${agents.length} agents seen`);
      await eventually('no agent is left', () => !agents.some(runs));
      const daemon = await folder.run().ready();
      await eventually('the sets are right', () => elements(own, 'blocked4')?.join() === '8.1.0.1');
      assert.equal((await daemon.end('SIGTERM')).code, 0);
      assert.deepEqual(readdirSync(join(folder.path, 'state')), ['nbrpc.db']);
    },
  );

  inFolder('SIGTERM in the middle of 300 hanging checks ends it in good order', async (folder) => {
    folder.writeList(Array.from({ length: 300 }, (_, index) => `8.2.${index >> 8}.${index & 255}`).join('\n'));
    const daemon = folder.run(['--set', 'nbrpc.limits.iter_hosts=400', '--set', 'nbrpc.limits.iter_addrs=400']);
    await daemon.ready();
    await eventually('checks hang', () => {
      const { stdout } = spawnSync('ss', ['-Htn', 'state', 'syn-sent'], { encoding: 'utf8' });
      return stdout.trim().split('\n').length === 300;
    });
    await daemon.status();
    const end = await Promise.race([
      daemon.end('SIGTERM'),
      new Promise<string>((resolve) => setTimeout(() => resolve('it still runs after 9 s'), 9000).unref()),
    ]);
    assert.deepEqual(end, { code: 0, signal: null });
  });
}

type Three = [string, string, string];

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
