// An account's page: live like the dashboard, with its own charts.
import { draw } from "./history.js";
import { start } from "./live.js";

start();
draw();
