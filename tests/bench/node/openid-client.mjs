// openid-client with express and its session: a login that ends with a session of this server, and verifies the ID token's signature.
import express from 'express'
import session from 'express-session'
import * as oidc from 'openid-client'

const { PORT, ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env
const base = `http://127.0.0.1:${PORT}`
const config = await oidc.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, oidc.ClientSecretBasic(CLIENT_SECRET))
oidc.enableNonRepudiationChecks(config)

const app = express()
app.disable('x-powered-by')
app.use(session({ secret: 'x'.repeat(32), resave: false, saveUninitialized: false }))
app.get('/login', async (request, response) => {
  const verifier = oidc.randomPKCECodeVerifier()
  const begun = { verifier, state: oidc.randomState(), nonce: oidc.randomNonce() }
  request.session.begun = begun
  const challenge = await oidc.calculatePKCECodeChallenge(verifier)
  const asked = { redirect_uri: `${base}/callback`, scope: 'openid profile email', code_challenge: challenge, code_challenge_method: 'S256' }
  response.redirect(oidc.buildAuthorizationUrl(config, { ...asked, state: begun.state, nonce: begun.nonce }).href)
})
app.get('/callback', async (request, response) => {
  try {
    const { verifier, state, nonce } = request.session.begun ?? {}
    const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true }
    const tokens = await oidc.authorizationCodeGrant(config, new URL(base + request.originalUrl), checks)
    const { sub, groups } = tokens.claims()
    request.session.regenerate(() => {
      Object.assign(request.session, { user: sub, groups })
      response.redirect('/')
    })
  } catch (error) {
    response.status(401).send(String(error.code))
  }
})
app.listen(Number(PORT), '127.0.0.1')
