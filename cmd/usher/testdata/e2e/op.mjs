// The OpenID providers of the end-to-end test: oidc-provider with its development pages, on which any login with any password is let in and
// is the subject (sub). The environment variable OP_CONFIG is JSON,
//
//   {"providers": [{"name": "...", "pushed": true, "clients": [metadata of RFC 7591, ...]}, ...]}
//
// and each line of the standard output is one event: "ready" first, then what the test must know of to look for it elsewhere.
import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';

import Provider from 'oidc-provider';

const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const key = (type, options, alg) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, kid: alg, use: 'sig' });

async function start({ name, pushed, clients }) {
  const server = http.createServer();
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  // localhost and 127.0.0.1 are different sites to a browser, as a company's identity provider and the application are.
  const issuer = `http://localhost:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'RS256'), key('ec', { namedCurve: 'P-256' }, 'ES256')] },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'], clientAuthSigningAlgValues: ['ES256'] },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    findAccount: (_, login) => ({
      accountId: login,
      claims: () => ({ sub: login, email: `${login}@acme.example`, email_verified: true, name: `The person ${login}` }),
    }),
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: false, // so that the ID token has the e-mail address, as those of the large providers have
    features: {
      devInteractions: { enabled: true },
      backchannelLogout: { enabled: true },
      pushedAuthorizationRequests: { enabled: pushed },
    },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
    cookies: {
      keys: ['only for a test'],
      names: Object.fromEntries(['session', 'interaction', 'resume'].map((cookie) => [cookie, `${name}_${cookie}`])), // ports share cookies
    },
    // Without the dispatcher, which lets nobody be on this machine: it is in the way of logout tokens and of the keys of clients.
    fetch: (address, { dispatcher, ...options }) => fetch(address, options),
  });
  provider.on('grant.success', ({ body, oidc }) => tell({
    event: 'tokens', client: oidc.client.clientId, access_token: body.access_token, id_token: body.id_token, code: oidc.params.code, verifier: oidc.params.code_verifier,
  }));
  provider.on('pushed_authorization_request.success', (_, client) => tell({ event: 'pushed', client: client.clientId }));
  provider.on('backchannel.success', (_, client, login) => tell({ event: 'logout', client: client.clientId, login }));
  for (const failure of ['server_error', 'authorization.error', 'grant.error', 'pushed_authorization_request.error', 'end_session.error']) {
    provider.on(failure, (_, err) => tell({ event: 'error', where: failure, error: `${err.name}: ${err.message}: ${err.error_description ?? err.stack}` }));
  }
  provider.on('backchannel.error', (_, err, client) => tell({ event: 'error', where: 'backchannel', client: client.clientId, error: String(err.cause ?? err) }));
  server.on('request', provider.callback());
  return [name, issuer];
}

const { providers } = JSON.parse(process.env.OP_CONFIG);
tell({ event: 'ready', issuers: Object.fromEntries(await Promise.all(providers.map(start))) });
// It ends with whoever has started it.
process.stdin.on('end', () => process.exit(0)).resume();
