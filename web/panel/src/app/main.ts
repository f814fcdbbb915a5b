import { mount } from 'svelte';
import { preferred, speak } from '$lib/i18n/index.svelte';
import { panel } from '$lib/panel.svelte';
import App from './App.svelte';
import './style.css';

const LANGUAGE = 'language';

await speak(localStorage.getItem(LANGUAGE) ?? preferred(navigator.languages));
mount(App, { target: document.getElementById('app') as HTMLElement });
await panel.start();
