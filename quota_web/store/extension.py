"""Flask-SQLAlchemy's hold on the tables; it makes the engine of every app that serves pages."""

from flask_sqlalchemy import SQLAlchemy

from quota_web.store.models import metadata

db = SQLAlchemy(metadata=metadata)
