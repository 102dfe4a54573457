/** What the subcommands of `netsteward guard` do: nbrpc's configuration to nft text, and that into the kernel. */
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { NbrpcConfig } from '../nbrpc/index.ts';
import { type ConfigSource, loadConfiguration } from '../supervisor/config.ts';
import { type GuardSpec, guardOperations, guardTable, noGuardOperations } from '../system/guard-table.ts';
import { type NftOperation, nftScript } from '../system/nft-script.ts';
import { errorLog } from './check-configuration.ts';
import { composeRegistry, readText } from './compose.ts';
import { composeNft } from './compose-guard.ts';
import { print } from './output.ts';

/** Rejects with DiagnosticError when the configuration is wrong, and with `guard-off` where it wants no guard. */
export async function printGuard(source: ConfigSource): Promise<ExitCode> {
  const spec = await readSpec(source);
  if (spec === undefined) {
    throw new NetstewardError(
      'guard-off',
      `${source.file} has no [nbrpc] with while_down = "drop": there is no table to print`,
      {
        remedy: 'Add while_down = "drop" to [nbrpc], and [nbrpc.guard] with the interfaces.',
      },
    );
  }
  print(`# Made by: netsteward guard print\n${nftScript(...guardOperations(spec)).text}`);
  return exitCodes.ok;
}

/** Rejects with DiagnosticError when the configuration is wrong, and with what nft refuses. */
export async function loadGuard(source: ConfigSource): Promise<ExitCode> {
  const spec = await readSpec(source);
  if (spec === undefined) return unloadGuard();
  await apply(guardOperations(spec));
  const { family, name } = guardTable;
  print(
    `table ${family} ${name}: what ${spec.interfaces.join(', ')} sends elsewhere is dropped unless netsteward's own table has seen it\n`,
  );
  return exitCodes.ok;
}

export async function unloadGuard(): Promise<ExitCode> {
  await apply(noGuardOperations());
  const { family, name } = guardTable;
  print(
    `table ${family} ${name} is not loaded: nothing is dropped while netsteward is not there (one that runs with while_down = "drop" loads it again)\n`,
  );
  return exitCodes.ok;
}

async function readSpec(source: ConfigSource): Promise<GuardSpec | undefined> {
  const { modules } = await loadConfiguration(source, composeRegistry(errorLog), readText);
  const nbrpc = modules.get('nbrpc')?.config as NbrpcConfig | undefined;
  return nbrpc?.while_down === 'drop' ? nbrpc.guard : undefined;
}

async function apply(operations: readonly NftOperation[]): Promise<void> {
  const nft = await composeNft();
  try {
    await nft.apply(nftScript(...operations));
  } finally {
    await nft.close();
  }
}
