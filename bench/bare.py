"""The bare app that start and memory are compared with: Flask, SQLAlchemy, one route."""

import tempfile
from pathlib import Path

from flask import Flask, jsonify
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

db = SQLAlchemy()
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = (
    f"sqlite:///{Path(tempfile.mkdtemp(prefix='quota-bench-bare-')) / 'bare.sqlite'}"
)
db.init_app(app)


@app.get("/healthz")
def hello():
    return jsonify(answer=db.session.execute(text("SELECT 42")).scalar())
