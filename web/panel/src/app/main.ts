import { mount } from 'svelte';
import { preferred, speak } from '$lib/i18n/index.svelte';
import { arrival } from '$lib/arrival.svelte';
import { panel } from '$lib/panel.svelte';
import App from './App.svelte';
import './style.css';

const LANGUAGE = 'language';

/** A browser that keeps nothing for this page refuses to be asked. */
function chosen(): string | null {
  try {
    return localStorage.getItem(LANGUAGE);
  } catch {
    return null;
  }
}

arrival.take();
// Opened in a window that shows the panel already, a link loads no page.
addEventListener('hashchange', () => arrival.take());
// English is always there, whatever could not be loaded.
await speak(chosen() ?? preferred(navigator.languages)).catch(() => undefined);
mount(App, { target: document.getElementById('app') as HTMLElement });
await panel.start();
