/** `netsteward dnstest`: the drop-in for dns-test-daemon (no name: serve; a name: check; a name and -c: watch), and the three by name. */
import { type Command, CommanderError, Option } from 'commander';
import { dnstestCheck, runCheck } from './dnstest-check.ts';
import { dnstestPolkit } from './dnstest-polkit.ts';
import { dnstestServe, hashKeyFlags, runServe, type ServeFlags, serveFlags } from './dnstest-serve.ts';
import { dnstestStatus } from './dnstest-status.ts';
import { dnstestWatch, runWatch } from './dnstest-watch.ts';

/** Code of what is wrong with a dnstest command line, which dns-test-daemon ends with 2 for (contract; 64 everywhere else). */
export const dnstestUsage = 'netsteward.dnstestUsage';

interface BareFlags extends ServeFlags {
  readonly query?: string;
  readonly any?: true;
  readonly ping?: string;
  readonly continuous?: string;
}

export function registerDnstest(program: Command): void {
  const command = program
    .command('dnstest')
    .summary('ask a resolver what no cache can know, as dns-test-daemon does')
    .description(
      'A DNS server whose answers are the keyed hash of the name, and a check that knows them too: only a resolver that works can give the right one. Without a name it serves, with one it checks, with -c it goes on checking.',
    )
    .argument('[name]', 'what to ask for; each @ becomes 12 random letters and digits');
  for (const option of [...hashKeyFlags(), ...serveFlags()]) command.addOption(option);
  command
    .addOption(new Option('-q, --query <type>', 'with a name: A or AAAA'))
    .option('--any', 'with a name: one right address is enough')
    .option('-p, --ping <host>', 'with a name: a failed check counts only if this host answers fping')
    .option('-c, --continuous <interval:retries:timeout>', 'with a name: go on checking, and end when it fails')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine, 53 the check failed, 2 the command line is wrong, 1 anything else.

Examples:
  $ netsteward dnstest -k secret --zone test.example.org -b 192.0.2.1      the server
  $ netsteward dnstest -k secret @.test.example.org                        one check
  $ netsteward dnstest -k secret -c 150:6:100 @.test.example.org           a check that goes on`,
    )
    .action(async (name: string | undefined, flags: BareFlags) => {
      if (name === undefined) await serveBare(command, flags);
      else await askBare(name, flags);
    });
  for (const each of [dnstestServe(), dnstestCheck(), dnstestWatch(), dnstestStatus(), dnstestPolkit()])
    command.addCommand(each.copyInheritedSettings(command));
  command.enablePositionalOptions();
  for (const each of [command, ...command.commands]) each.exitOverride(asDropIn);
}

function asDropIn(error: CommanderError): never {
  throw new CommanderError(
    error.exitCode === 0 ? 0 : 2,
    error.exitCode === 0 ? error.code : dnstestUsage,
    error.message,
  );
}

async function serveBare(command: Command, flags: BareFlags): Promise<void> {
  const asking = ['query', 'any', 'ping', 'continuous'].find((flag) => command.getOptionValueSource(flag) === 'cli');
  if (asking !== undefined) command.error(`error: --${asking} is for checks: name what to ask for`);
  process.exitCode = await runServe(flags);
}

/** Only what was typed is passed on: the rest is for `check` and `watch` to choose. */
async function askBare(name: string, flags: BareFlags): Promise<void> {
  const options = {
    name,
    hashKey: flags.hashKey,
    ...(flags.hashKeyFile === undefined ? {} : { hashKeyFile: flags.hashKeyFile }),
    ...(flags.query === undefined ? {} : { query: flags.query }),
    ...(flags.any === undefined ? {} : { any: flags.any }),
    ...(flags.ping === undefined ? {} : { ping: flags.ping }),
    ...(flags.debug === undefined ? {} : { debug: flags.debug }),
  };
  process.exitCode =
    flags.continuous === undefined
      ? await runCheck(options)
      : await runWatch({ ...options, continuous: flags.continuous });
}
