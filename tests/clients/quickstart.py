"""Runs the blocks of docs/quickstart.md as they stand and compares what they print with the block below each.

Usage: quickstart.py PAGE DIRECTORY KIND...: the directory holds films.db and cotaste0.so; Postgres is where PGHOST and
PGUSER say. KIND is sh, python, js, java, duckdb or dbt: what is not named is not run."""

import os
import re
import subprocess
import sys

page, directory, kinds = sys.argv[1], sys.argv[2], set(sys.argv[3:])
text = open(page).read()
passed = failed = 0


def ran(*command, **more):
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300, **more)
    return done.stdout + (done.stderr if done.returncode else "")


def java(source):
    jars = [os.path.join("/usr/share/java", name) for name in os.listdir("/usr/share/java") if name.endswith(".jar")]
    with open(os.path.join(directory, "Films.java"), "w") as file:
        file.write(source)
    return ran("java", "-cp", ":".join(jars), "Films.java")


def duckdb(source):
    import duckdb
    from duckdb_extensions import import_extension

    import_extension("postgres_scanner")
    connection = duckdb.connect()
    # The extension is a package here: nothing is downloaded.
    connection.execute("load postgres_scanner")
    lines = source.splitlines()[1:]
    return "".join(f"{rows}\n" for rows in (connection.execute(line).fetchall() for line in lines) if rows)


RUN = {
    "sh": lambda source: ran("bash", "-c", source),
    "python": lambda source: ran(sys.executable, "-c", source),
    "js": lambda source: ran("node", "-e", source),
    "java": java,
    "duckdb": duckdb,
}


def trimmed(output):
    return [line.rstrip() for line in output.splitlines() if line.strip()]


def check(what, got, wanted):
    global passed, failed
    if trimmed(got) == trimmed(wanted):
        passed += 1
    else:
        failed += 1
        print(f"FAILED quick start, {what}: it gives\n{got}instead of\n{wanted}")


# A heading, prose, a block, and the block of its output.
shown = r"## ([^\n]+)\n(?:(?!\n## |```).)*\n```(\w+)\n(.*?)```\n\n```text\n(.*?)```"
for title, kind, source, wanted in re.findall(shown, text, re.S):
    if kind in kinds:
        check(title, RUN[kind](source), wanted)
if "dbt" in kinds:
    sources, model = re.search(r"```yaml\n(.*?)```.*?```jinja\n(.*?)```", text, re.S).groups()
    project = os.path.join(directory, "films_dbt")
    os.makedirs(os.path.join(project, "models"))
    files = {
        "dbt_project.yml": "{name: films, version: '1.0', profile: films}",
        "profiles.yml": f"films: {{target: t, outputs: {{t: {{type: postgres, host: '{os.environ['PGHOST']}', port: 5432, "
        f"user: '{os.environ['PGUSER']}', password: '', dbname: films, schema: analytics, threads: 1}}}}}}",
        "models/sources.yml": sources,
        "models/popular.sql": model,
    }
    for name, content in files.items():
        with open(os.path.join(project, name), "w") as file:
            file.write(content)
    told = ran(os.environ.get("DBT", "dbt"), "build", "--project-dir", project, "--profiles-dir", project)
    check("dbt", " ".join(re.findall(r"(?:PASS|ERROR)=\d+", told)) or told, "PASS=1 ERROR=0")
if not passed + failed:
    print(f"FAILED quick starts: the page has none in {', '.join(sorted(kinds))}")
elif not failed:
    print(f"ok quick starts in {', '.join(sorted(kinds))}: {passed} blocks")
sys.exit(failed > 0 or passed == 0)
