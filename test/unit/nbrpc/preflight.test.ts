/** What nbrpc looks at on a machine before it runs there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nbrpcModule } from '../../../src/nbrpc/index.ts';
import type { AgentLook } from '../../../src/system/agent-look.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';
import { Bench } from './original-bench.ts';

describe('the look at the machine', () => {
  const version = '1.2.3';
  const look = async (
    files: FakeFiles,
    table: Record<string, unknown> = {},
    agent: AgentLook = { kind: 'fits', version },
  ) =>
    (await nbrpcModule.preflight(new Bench().configOf(table), { files, version, lookAtAgent: async () => agent })).map(
      ({ severity, text }) => `${severity}: ${text}`,
    );

  it('finds nothing wrong where nothing is', async () => {
    const files = new FakeFiles();
    files.put('/a.list', 'a.example b.example');
    assert.deepEqual(await look(files), ['ok: /a.list: 2 hosts', 'ok: /s.db: a new state file can be made']);
  });

  it('tells of the agent that is a service of its own, and only where there is one', async () => {
    const files = new FakeFiles();
    files.put('/a.list', 'a.example');
    const agent = async (found: AgentLook) => (await look(files, { agent: '/run/nft.sock' }, found)).at(-1);
    assert.equal(await agent({ kind: 'fits', version }), 'ok: nft-agent answers at /run/nft.sock');
    assert.equal(
      await agent({ kind: 'fits', version: '1.2.2' }),
      'ok: nft-agent answers at /run/nft.sock (version 1.2.2, this is 1.2.3)',
    );
    assert.equal(
      await agent({ kind: 'refuses', code: 'agent-message-invalid', message: 'what?' }),
      'warning: nft-agent at /run/nft.sock is of another version than 1.2.3',
    );
    assert.equal(
      await agent({ kind: 'refuses', code: 'agent-not-allowed', message: 'other sets' }),
      'error: nft-agent at /run/nft.sock would refuse: other sets',
    );
    assert.equal(
      await agent({ kind: 'silent', reason: '/run/nft.sock: nobody' }),
      'warning: nft-agent does not answer: /run/nft.sock: nobody',
    );
  });

  it('tells each mistake of a list, a missing list, and what is wrong with state and CA files', async () => {
    const files = new FakeFiles();
    files.put('/a.list', 'a=x\nb>y');
    files.put('/s.db', 'plain text');
    files.put('/ca.pem', 'no certificate');
    const findings = await look(files, { check_lists: ['/a.list', '/none'], check: { ca_file: '/ca.pem' } });
    assert.deepEqual(findings, [
      'error: /a.list:1:1: a=x: unknown result "x": codes such as 200/503, or na',
      'error: /a.list:2:1: b>y: unknown policy "y": one of af-any, af-all, af-pick, pick, noroute',
      'warning: /none does not exist: an empty list',
      'error: /s.db is not an SQLite database',
      'error: /ca.pem has no PEM certificate',
    ]);
    files.setReadOnly('/s.db');
    files.remove('/ca.pem');
    assert.deepEqual((await look(files, { check: { ca_file: '/ca.pem' } })).slice(-2), [
      'error: /s.db: the state file cannot be written or made',
      'error: /ca.pem does not exist',
    ]);
  });

  it('knows a state file of a newer version and of another program', async () => {
    const header = (id: number, version: number): Buffer => {
      const bytes = Buffer.alloc(100);
      bytes.write('SQLite format 3\0', 'latin1');
      bytes.writeUInt32BE(version, 60);
      bytes.writeUInt32BE(id, 68);
      return bytes;
    };
    const files = new FakeFiles();
    files.put('/a.list', '');
    files.put('/s.db', header(0x6e736e62, 9));
    assert.match((await look(files)).at(-1) ?? '', /error: \/s\.db is of version 9/);
    files.put('/s.db', header(1, 1));
    assert.match((await look(files)).at(-1) ?? '', /some other program/);
    files.put('/s.db', header(0x6e736e62, 1));
    assert.equal((await look(files)).at(-1), 'ok: /s.db: the state file is in order');
  });
});
