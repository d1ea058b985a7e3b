"""Makes the app: settings, then each room's init_app, in the order in which they build on each other."""

from flask import Flask

from quota_web import cli, config, world
from quota_web.config import Settings
from quota_web.store import engine


def create_app(settings: Settings | None = None) -> Flask:
    """The app for *settings*, or for what the environment says. Raises BadSetting; opens and connects to nothing."""
    settings = settings or config.load()
    app = Flask("quota_web", instance_path=str(settings.instance_dir), static_folder=None, template_folder=None)
    app.config["SETTINGS"] = settings
    engine.init_app(app)
    world.init_app(app)
    cli.init_app(app)
    return app
