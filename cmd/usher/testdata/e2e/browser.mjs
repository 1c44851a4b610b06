// The browser of the end-to-end test: it types and clicks in Chromium as people do. The environment variable BROWSER_CONFIG is JSON; see
// TestEndToEnd_browser, which makes it. Each line of the standard output says how one case went; a last one says that these were all.
import assert from 'node:assert/strict';
import path from 'node:path';

import { chromium } from 'playwright-core';

const config = JSON.parse(process.env.BROWSER_CONFIG);
const own = [config.usher, config.demo, config.practice].map((address) => new URL(address).origin); // whose pages must be without fault
const start = `${config.usher}/sso/acme?connection=`;
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const browser = await chromium.launch({
  executablePath: config.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});

// Opening a browser takes longer than most cases, so one that is not used any more forgets everything and is used again.
const idle = new Map();

async function arrive(complaints, options = {}) {
  const kind = JSON.stringify(options);
  const page = idle.get(kind)?.pop() ?? await open(options);
  page.kind = kind;
  page.complaints = complaints;
  return page;
}

async function leave(page) {
  await page.goto('about:blank');
  await page.context().clearCookies();
  await page.unrouteAll();
  idle.set(page.kind, [...idle.get(page.kind) ?? [], page]);
}

// open opens a browser for a person, and notes what it complains about.
async function open(options) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  context.setDefaultTimeout(15000);
  // Nothing outside is asked, such as the fonts of the provider's pages.
  await context.route((address) => !['127.0.0.1', 'localhost'].includes(address.hostname), (route) => route.abort());
  const page = await context.newPage();
  const complain = (what, address) => own.some((origin) => address.startsWith(origin)) && page.complaints.push(`${address}: ${what}`);
  page.on('pageerror', (error) => complain(error.message, page.url()));
  page.on('console', (message) => {
    // That a page has the status of a refusal is as it should be.
    const refusal = message.text().startsWith('Failed to load resource: the server responded with a status of 4') && /\/(sso|signin)/.test(message.location().url);
    if (['error', 'warning'].includes(message.type()) && !refusal) complain(message.text(), message.location().url || page.url());
  });
  const devtools = await context.newCDPSession(page);
  devtools.on('Audits.issueAdded', ({ issue }) => {
    const details = issue.details.contentSecurityPolicyIssueDetails ?? issue.details.cookieIssueDetails ?? issue.details.mixedContentIssueDetails;
    if (details) complain(`${issue.code} ${JSON.stringify(details)}`, details.sourceCodeLocation?.url ?? page.url());
  });
  await devtools.send('Audits.enable');
  return page;
}

// torn gives what is broken over several lines though it is one word: a button, or a reference that people read out.
function torn() {
  return [...document.querySelectorAll('button, .button, .ref code')].filter((element) => {
    const text = document.createRange();
    text.selectNodeContents(element);
    return !/\s/.test(element.textContent.trim()) && new Set([...text.getClientRects()].map(({ top }) => Math.round(top))).size > 1;
  }).map((element) => `"${element.textContent}"`);
}

// shoot takes the pictures of a page, and sees that nothing sticks out of it.
async function shoot(page, name) {
  const before = page.viewportSize();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const width of [360, 1200]) {
      await page.setViewportSize({ width, height: 800 });
      // The caret is left alone, because hiding it takes a style that the pages' policy forbids.
      await page.screenshot({ path: path.join(config.shots, `${name}-${colorScheme}-${width}.png`), fullPage: true, caret: 'initial' });
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
      if (wide > width) page.complaints.push(`${name} is ${wide} pixels wide on a screen of ${width}`);
      for (const word of await page.evaluate(torn)) page.complaints.push(`${name} tears ${word} apart on a screen of ${width} pixels`);
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(before);
}

const title = (page, text) => page.getByRole('heading', { level: 1, name: text, exact: true }).waitFor();
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();
const follow = (page, name) => page.getByRole('link', { name, exact: true }).click();
const session = async (page, at = config.usher) => {
  const answer = await page.request.get(`${at}/sso/session`);
  return { status: answer.status(), ...await answer.json() };
};

// prove goes through the pages of the provider. Without scripts the last form has to be sent by hand.
async function prove(page, login, { byHand = false } = {}) {
  await page.getByPlaceholder('Enter any login').fill(login);
  await page.getByPlaceholder('and password').fill('anything');
  await page.getByPlaceholder('and password').press('Enter');
  await page.getByText('scopes:').or(page.locator('input[name=prompt][value=consent]')).first().waitFor({ state: 'attached' });
  await press(page, 'Continue');
  if (byHand) await press(page, 'Continue');
}

async function signedIn(page, at = config.usher, who = 'Acme') {
  await title(page, `You are signed in to ${who}.`);
  assert.equal(new URL(page.url()).searchParams.has('code'), false, 'the address shows the code');
  const { status, license } = await session(page, at);
  assert.deepEqual({ status, license }, { status: 200, license: 'video-pro-plus' });
}

// kept sees the session cookie as it should be kept, and none of the sign-in.
async function kept(page, at = config.usher) {
  const cookies = await page.context().cookies(at);
  const mine = cookies.filter(({ name }) => name.startsWith('__Host-'));
  assert.deepEqual(mine.map(({ name, path: to, httpOnly, secure, sameSite }) => ({ name, to, httpOnly, secure, sameSite })), [
    { name: '__Host-sso', to: '/', httpOnly: true, secure: true, sameSite: 'Lax' },
  ]);
  assert.equal(mine[0].expires === -1 || mine[0].expires > Date.now() / 1000, true, 'the cookie has expired');
}

async function refused(page, sentence, name) {
  await title(page, sentence);
  assert.match(await page.locator('.ref code').textContent(), /^[A-Z2-7]{5}-[A-Z2-7]{5}$/);
  assert.equal((await session(page)).status, 401);
  await shoot(page, name);
}

const cases = {
  'the browser would complain': async (open, complaints) => {
    const page = await open();
    await page.route(`${config.usher}/sso/fault`, (route) => route.fulfill({
      contentType: 'text/html', headers: { 'Content-Security-Policy': "default-src 'none'" }, body: '<style>p{color:red}</style><p>a fault</p>',
    }));
    await page.goto(`${config.usher}/sso/fault`);
    const deadline = Date.now() + 5000;
    while (complaints.length < 2 && Date.now() < deadline) await page.waitForTimeout(20);
    assert.match(complaints.splice(0).join(), /Content Security Policy.*ContentSecurityPolicyIssue|ContentSecurityPolicyIssue.*Content Security Policy/);
  },
  'find the company, sign in by query': async (open) => {
    const page = await open();
    await page.goto(`${config.usher}/sso`);
    await title(page, 'Sign in');
    await shoot(page, 'home');
    await press(page, 'Next');
    await page.getByRole('alert').waitFor();
    await shoot(page, 'home-wrong');
    await page.getByLabel('Work e-mail or company name').fill('ada@acme.example');
    await page.keyboard.press('Enter');
    await title(page, "Continue to your company's sign-in");
    await shoot(page, 'continue');
    await follow(page, 'Continue');
    await title(page, 'How do you sign in to Acme?');
    await shoot(page, 'choose');
    await follow(page, 'query');
    assert.equal(await page.getByPlaceholder('Enter any login').inputValue(), 'ada@acme.example', 'the hint has not come to the provider');
    await prove(page, 'ada');
    await signedIn(page);
    await kept(page);
    await shoot(page, 'me');
  },
  'sign in by form_post': async (open) => {
    const page = await open();
    await page.goto(`${start}form-post`);
    await prove(page, 'ada');
    await signedIn(page);
    await kept(page);
    await page.reload();
    await signedIn(page);
  },
  'the button signs out here and at the provider': async (open) => {
    const page = await open();
    await page.goto(`${start}query`);
    await prove(page, 'ada');
    await signedIn(page);
    await press(page, 'Sign out');
    await page.getByRole('heading', { name: /Do you want to sign-out from localhost/ }).waitFor();
    assert.equal((await session(page)).status, 401);
    await press(page, 'Yes, sign me out');
    await title(page, 'You are signed out.');
    await shoot(page, 'signed-out');
    await page.goto(`${config.usher}/sso/me`);
    await title(page, 'You are not signed in.');
    await shoot(page, 'not-signed-in');
    await page.goto(`${start}query`);
    await page.getByPlaceholder('Enter any login').waitFor(); // the provider does not know her any more
  },
  'bob, by query, has no license for it': async (open) => {
    const page = await open();
    await page.goto(`${start}query`);
    await prove(page, 'bob');
    await refused(page, 'Your license does not include single sign-on; Video Pro+ does.', 'no-license');
    await page.reload();
    await title(page, 'This sign-in was used already.');
  },
  'the wrong person comes back as another': async (open) => {
    const page = await open();
    await page.goto(`${start}query`);
    await prove(page, 'stranger');
    await title(page, 'You have signed in, but no account has been set up for you here.');
    await follow(page, 'Sign in as somebody else'); // though the provider still knows the stranger
    await prove(page, 'ada');
    await signedIn(page);
  },
  'a stranger, by form_post, has no account': async (open) => {
    const page = await open();
    await page.goto(`${start}form-post`);
    await prove(page, 'stranger');
    await refused(page, 'You have signed in, but no account has been set up for you here.', 'no-account');
  },
  'eve is a guest': async (open) => {
    const page = await open();
    await page.goto(`${start}query`);
    await prove(page, 'eve');
    await refused(page, 'Guests cannot use single sign-on.', 'guest');
  },
  'dora is deactivated': async (open) => {
    const page = await open();
    await page.goto(`${start}query`);
    await prove(page, 'dora');
    await refused(page, 'Your account is not active.', 'deactivated');
  },
  'the provider refuses': async (open) => {
    const page = await open();
    await page.goto(`${start}query`);
    await follow(page, '[ Cancel ]');
    await refused(page, "Your company's sign-in service did not allow this.", 'provider-refuses');
  },
  'an answer that nobody asked for': async (open) => {
    const page = await open();
    const answer = await page.goto(`${config.usher}/sso/acme/query/callback?state=made-up&code=made-up`);
    assert.equal(answer.status(), 400);
    await page.locator('.ref code').waitFor();
    await shoot(page, 'not-asked-for');
  },
  'there is no such company': async (open) => {
    const page = await open();
    const answer = await page.goto(`${config.usher}/sso/nobody`);
    assert.equal(answer.status(), 404);
    await title(page, 'Single sign-on is not available here.');
    await shoot(page, 'not-available');
  },
  'sign in with a password': async (open) => {
    const page = await open();
    await page.goto(`${config.usher}/signin`);
    await shoot(page, 'password');
    const fill = async (password) => {
      await page.getByLabel('Company name').fill('acme');
      await page.getByLabel('User name').fill(config.local.user);
      await page.locator('#password').fill(password);
    };
    await fill('wrong');
    await press(page, 'Sign in');
    await page.getByRole('alert').waitFor();
    assert.equal(await page.locator('#password').inputValue(), '');
    await shoot(page, 'password-wrong');
    await fill(config.local.password);
    await press(page, 'Sign in');
    await title(page, 'Choose your password');
    assert.equal(await page.getByRole('alert').count(), 0, 'it is no mistake of theirs');
    await shoot(page, 'password-choose');
    await page.locator('#password').fill(config.local.password);
    await page.getByLabel('New password').fill(config.local.chosen);
    await page.getByLabel('The same again').fill(config.local.chosen);
    await press(page, 'Set it and sign in');
    await title(page, 'You are signed in to Acme.');
    assert.equal((await session(page)).signed_in_by, 'password');
    await kept(page);
    await shoot(page, 'password-me');
    await press(page, 'Sign out');
    await title(page, 'You are signed out.');
  },
  'sessions elsewhere': async (open) => {
    const [here, there] = [await open(), await open({ userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1' })];
    for (const page of [here, there]) {
      await page.goto(`${start}query`);
      await prove(page, 'amy');
      await signedIn(page);
    }
    await here.reload();
    await shoot(here, 'me-twice');
    const other = here.getByRole('listitem').filter({ hasText: 'Safari on iPhone' });
    await other.getByRole('button', { name: 'End' }).click();
    await other.waitFor({ state: 'detached' });
    assert.equal((await session(there)).status, 401);
    await signedIn(here);
    await there.reload();
    await title(there, 'Your session has been ended.');
    await shoot(there, 'session-ended');
    await press(here, 'Sign out everywhere');
    await title(here, 'You are signed out.');
    assert.equal((await session(here)).status, 401);
  },
  'an admin tries the connection out': async (open) => {
    const page = await open();
    await page.goto(config.trial);
    await prove(page, 'ada');
    await title(page, 'The sign-in works, and would let this person in.');
    await page.getByText('ada@acme.example').first().waitFor();
    await shoot(page, 'trial');
    assert.equal((await session(page)).status, 401);
    const other = await open();
    await other.goto(config.trial);
    await prove(other, 'stranger');
    await title(other, 'The sign-in would not work yet.');
    await shoot(other, 'trial-stranger');
  },
  'without scripts': async (open) => {
    for (const [connection, byHand] of [['query', false], ['form-post', true]]) {
      const page = await open({ javaScriptEnabled: false });
      await page.goto(start + connection);
      await prove(page, 'ada', { byHand });
      await signedIn(page);
      await press(page, 'Sign out');
      await press(page, 'Yes, sign me out');
      await title(page, 'You are signed out.');
    }
  },
  'the demo': (open) => demo(open, 'demo', {}),
  'the demo without scripts': (open) => demo(open, '', { javaScriptEnabled: false }),
};

// demo signs in through the practice identity provider of the demo. Pictures are taken if they have a name.
async function demo(open, name, options) {
  const shot = async (page, what) => name && shoot(page, `${name}-${what}`);
  const page = await open(options);
  await page.goto(config.demoStart);
  await title(page, 'Who are you?');
  assert.equal(new URL(page.url()).origin, new URL(config.practice).origin);
  await shot(page, 'people');
  await page.getByRole('button', { name: /Ada Lovelace/ }).click();
  await signedIn(page, config.demo);
  await shot(page, 'me');
  await press(page, 'Sign out');
  await title(page, 'You are signed out.');
  assert.equal(new URL(page.url()).origin, new URL(config.demo).origin);
  assert.equal((await session(page, config.demo)).status, 401);

  for (const [who, sentence, what] of [
    [/Linus Torvalds/, 'Your license does not include single sign-on; Video Pro+ does.', 'no-license'],
    [/Tim Berners-Lee/, 'Your Video Pro+ license, which single sign-on needs, waits for a free seat.', 'waiting'],
    ['Refuse', "Your company's sign-in service did not allow this.", 'refused'],
  ]) {
    const other = await open(options);
    await other.goto(config.demoStart);
    await other.getByRole('button', { name: who }).click();
    await title(other, sentence);
    assert.equal((await session(other, config.demo)).status, 401);
    await shot(other, what);
  }
}

async function attempt(name, run) {
  const complaints = [];
  const pages = [];
  const begun = Date.now();
  let error = '';
  try {
    await run(async (options) => {
      const page = await arrive(complaints, options);
      pages.push(page);
      return page;
    }, complaints);
  } catch (err) {
    error = err.stack;
    for (const page of pages) error += `\n${page.url()}\n${await page.locator('body').innerText().catch(() => '')}`;
  }
  for (const page of pages) await leave(page);
  tell({ case: name, error, complaints, ms: Date.now() - begun });
}

// Two go on at a time: much of it is waiting.
const left = Object.entries(cases);
await Promise.all(Array.from({ length: 2 }, async () => {
  for (let next = left.shift(); next; next = left.shift()) await attempt(...next);
}));
await browser.close();
tell({ cases: Object.keys(cases).length });
