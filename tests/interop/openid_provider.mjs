// The certified OpenID provider (npm oidc-provider) for the interop tests.
//
// usage: node openid_provider.mjs '<JSON>'
//   {"clients": [...], "issuer": "https://…"?, "port": 0, "tls": {"key": PEM, "cert": PEM}?, "page": false}
// Prints one JSON line {"issuer": …} once it listens on loopback.
//   /interaction/:uid   signs `login_hint` (default alice; "deny" refuses) in at once, or, with "page", shows a login form
//   POST /__rotate      new signing keys in front, old ones stay published; ?drop=1: the old ones vanish
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

const options = JSON.parse(process.argv[2]);
const ALGORITHMS = [['RS256'], ['PS256'], ['ES256'], ['EdDSA', 'Ed25519']];
let generation = 0;

// One memory for the providers before and after a rotation: codes and sessions survive it. Nothing expires: tests are short.
const memory = new Map();
class Memory {
  constructor(model) { this.model = model; }
  async upsert(id, payload) { memory.set(`${this.model}:${id}`, payload); }
  async find(id) { return memory.get(`${this.model}:${id}`); }
  async findByUid(uid) { return [...memory].find(([key, payload]) => key.startsWith(`${this.model}:`) && payload.uid === uid)?.[1]; }
  async consume(id) { memory.get(`${this.model}:${id}`).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { memory.delete(`${this.model}:${id}`); }
  async revokeByGrantId(grantId) { for (const [key, payload] of memory) if (payload.grantId === grantId) memory.delete(key); }
}

async function signingKeys() {
  generation += 1;
  return Promise.all(ALGORITHMS.map(async ([alg, crv]) => {
    const { privateKey } = await generateKeyPair(alg, { crv, extractable: true, modulusLength: 2048 });
    return { ...(await exportJWK(privateKey)), kid: `${alg}-${generation}`, use: 'sig', alg };
  }));
}

function build(issuer, keys) {
  const provider = new Provider(issuer, {
    clients: options.clients,
    adapter: Memory,
    jwks: { keys },
    cookies: { keys: ['for tests'] },
    pkce: { required: () => true },
    renderError: (ctx, out) => { ctx.type = 'json'; ctx.body = out; },
    claims: { openid: ['sub', 'sid'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    conformIdTokenClaims: options.conform ?? false,
    async findAccount(_ctx, id) {
      const claims = { sub: id, name: `User ${id}`, preferred_username: id, email: `${id}@example.com`, email_verified: true, groups: ['sales', 'finance'] };
      return { accountId: id, claims: () => claims };
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      jwtUserinfo: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: (ctx, form) => { ctx.type = 'html'; ctx.body = form; } },
    },
    // the built-in fetch refuses loopback, where the gateway's jwks.json and back-channel logout are
    fetch: (url, { dispatcher, ...rest }) => fetch(url, rest),
    ttl: { Interaction: 600, AuthorizationCode: 60, AccessToken: 600, IdToken: 600, Session: 3600, Grant: 3600 },
  });
  provider.on('server_error', (_ctx, error) => console.error('server_error', error));
  for (const event of ['grant.error', 'authorization.error']) {
    provider.on(event, (_ctx, error) => console.error(event, error.error, error.error_detail ?? error.error_description));
  }
  return provider;
}

const LOGIN_PAGE = `<!doctype html><html lang="en"><title>Sign in</title><form method="post">
<label>User name <input name="user" autofocus></label> <button>Sign in</button></form></html>`;

async function chosenUser(request, response, details) {
  if (!options.page) return details.params.login_hint ?? 'alice';
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(LOGIN_PAGE);
    return null;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  return new URLSearchParams(body).get('user');
}

async function interaction(provider, request, response) {
  const details = await provider.interactionDetails(request, response);
  const known = details.prompt.name === 'login' ? undefined : details.session?.accountId;
  const accountId = known ?? await chosenUser(request, response, details);
  if (accountId === null) return;
  if (accountId === 'deny') {
    await provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'refused by the user' });
    return;
  }
  const grant = new provider.Grant({ accountId, clientId: details.params.client_id });
  grant.addOIDCScope(details.params.scope);
  await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

let keys = await signingKeys();
let provider;
let answer;

async function handler(request, response) {
  const url = new URL(request.url, 'http://here');
  try {
    if (url.pathname.startsWith('/interaction/')) {
      await interaction(provider, request, response);
    } else if (url.pathname === '/__rotate') {
      const fresh = await signingKeys();
      keys = url.searchParams.get('drop') ? fresh : [...fresh, ...keys];
      provider = build(provider.issuer, keys);
      answer = provider.callback();
      response.end(JSON.stringify(keys.map((key) => key.kid)));
    } else {
      await answer(request, response);
    }
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end(String(error));
  }
}

const server = options.tls ? createTlsServer(options.tls, handler) : createServer(handler);
server.keepAliveTimeout = 65_000;
server.listen(options.port ?? 0, '127.0.0.1', () => {
  const issuer = options.issuer ?? `http://127.0.0.1:${server.address().port}`;
  provider = build(issuer, keys);
  answer = provider.callback();
  console.log(JSON.stringify({ issuer }));
});
process.stdin.on('end', () => process.exit(0)).resume();
