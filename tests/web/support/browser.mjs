import { mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const kShots = fileURLToPath(new URL('../screenshots/', import.meta.url));

export const kWide = { width: 1360, height: 900 };
export const kPhone = { width: 390, height: 844 };

/** Chromium with a record of everything that went wrong in any page: console, exceptions, CSP. */
export async function openBrowser({ args = [], keepShots = false } = {}) {
  if (!keepShots) await rm(kShots, { recursive: true, force: true });
  await mkdir(kShots, { recursive: true });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', ...args],
  });
  const faults = [];
  const newPage = async (options = {}) => {
    const context = await browser.newContext({ viewport: kWide, colorScheme: 'light', ...options });
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`CSP: ${event.violatedDirective} blocks ${event.blockedURI}`);
      });
    });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(`exception: ${error.message}`));
    return page;
  };
  const shot = (page, name) => page.screenshot({ path: `${kShots}${name}.png`, fullPage: true });
  return { newPage, shot, faults, close: () => browser.close() };
}
