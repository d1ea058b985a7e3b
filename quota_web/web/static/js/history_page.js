// The history of all accounts.
import { start } from "./lanes.js";

start();
