/** The TLS server of bench/checks.ts, a process of its own: one certificate for all names, 1200 bytes for every request. */
import { readFileSync } from 'node:fs';
import https from 'node:https';

const [keyFile = '', certFile = '', port = ''] = process.argv.slice(2);
const server = https.createServer(
  { key: readFileSync(keyFile), cert: readFileSync(certFile) },
  (_request, response) => {
    response.end('hello world\n'.repeat(100));
  },
);
server.listen({ port: Number(port), host: '0.0.0.0', backlog: 4096 }, () => process.stdout.write('ready\n'));
