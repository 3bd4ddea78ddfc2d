// passport-saml with express and its session: a login that ends with a session of this server.
import { readFileSync } from 'node:fs'
import express from 'express'
import session from 'express-session'
import passport from 'passport'
import { Strategy } from '@node-saml/passport-saml'

const { PORT, ISSUER, FOLDER } = process.env
const base = `http://127.0.0.1:${PORT}`
const options = {
  callbackUrl: `${base}/acs`,
  entryPoint: `${ISSUER}/saml/sso`,
  issuer: `${base}/metadata`,
  audience: `${base}/metadata`,
  idpCert: readFileSync(`${FOLDER}/idp.crt`, 'utf8'),
  validateInResponseTo: 'always',
  wantAssertionsSigned: true,
  wantAuthnResponseSigned: false,
  acceptedClockSkewMs: 60000,
  identifierFormat: null,
  disableRequestedAuthnContext: true,
}
const signedIn = (profile, done) => done(null, { id: profile.nameID, groups: profile.groups })
passport.use('saml', new Strategy(options, signedIn, signedIn))
passport.serializeUser((user, done) => done(null, user))
passport.deserializeUser((user, done) => done(null, user))

const app = express()
app.disable('x-powered-by')
app.use(session({ secret: 'x'.repeat(32), resave: false, saveUninitialized: false }))
app.use(passport.initialize(), passport.session())
app.get('/login', passport.authenticate('saml'))
const form = express.urlencoded({ extended: false, limit: '1mb' })
app.post('/acs', form, passport.authenticate('saml', { failureRedirect: '/failed' }), (_request, response) => response.redirect('/'))
app.get('/failed', (_request, response) => response.status(401).send('failed'))
app.listen(Number(PORT), '127.0.0.1')
