"""The demo: a bookshelf with a page, a feed and a search.

Uses Flask, sqlite3, expat (through xml.etree) and requests; git, wget, perl,
nginx and the rest of the image's packages are never touched.
"""
import sqlite3
import xml.etree.ElementTree as xml

import requests
from flask import Flask, jsonify, render_template, request
from waitress import serve

app = Flask(__name__)
books = sqlite3.connect(":memory:", check_same_thread=False)
books.executescript(
    """create table book (title text, author text);
    insert into book values ('Middlemarch', 'Eliot'), ('Ulysses', 'Joyce');"""
)


@app.get("/")
def index():
    rows = books.execute("select title, author from book order by title").fetchall()
    return render_template("index.html", books=rows)


@app.get("/search")
def search():
    rows = books.execute("select title from book where title like ?", (f"%{request.args.get('q', '')}%",))
    return jsonify([title for (title,) in rows])


@app.get("/feed")
def feed():
    tree = xml.fromstring("<feed><entry>Middlemarch</entry><entry>Ulysses</entry></feed>")
    return jsonify([entry.text for entry in tree])


@app.get("/healthz")
def healthz():
    return jsonify(ok=True, client=requests.utils.default_user_agent())


if __name__ == "__main__":
    serve(app, host="0.0.0.0", port=8080, threads=4)
