#!/usr/bin/env bash
# python-dwca-reader 0.17.1: of a core that is spread over several files, only the first is read, without a word.
#
# Expected: meta.xml may list several <location> elements for a table, whose rows are those of all files (Darwin Core text
# guide); a reader returns all, or refuses an archive that it cannot read.
# Actual: the core is its first file alone, in iteration and in core_file_location. Nothing tells of the others.
# Why it matters: a checklist split by group becomes a label tree of its first group: here two of four taxa are gone, one of
# them the parent of a taxon that is left.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "python-dwca-reader==0.17.1"
mkdir "$work/archive"
cd "$work/archive"
printf 'taxonID\tparentNameUsageID\tscientificName\n1\t\tAnimalia\n3\t2\tPuma\n' > animals.tsv
printf 'taxonID\tparentNameUsageID\tscientificName\n2\t1\tFelidae\n4\t2\tLynx\n' > cats.tsv
cat > meta.xml <<'XML'
<archive xmlns="http://rs.tdwg.org/dwc/text/">
  <core encoding="UTF-8" fieldsTerminatedBy="\t" linesTerminatedBy="\n" fieldsEnclosedBy="" ignoreHeaderLines="1" rowType="http://rs.tdwg.org/dwc/terms/Taxon">
    <files><location>animals.tsv</location><location>cats.tsv</location></files>
    <id index="0"/>
    <field index="0" term="http://rs.tdwg.org/dwc/terms/taxonID"/>
    <field index="1" term="http://rs.tdwg.org/dwc/terms/parentNameUsageID"/>
    <field index="2" term="http://rs.tdwg.org/dwc/terms/scientificName"/>
  </core>
</archive>
XML
cd "$work"
"$work/venv/bin/python" -W error - <<'PY'
import sys
from importlib.metadata import version

from dwca.darwincore.utils import qualname
from dwca.read import DwCAReader

print("Python", sys.version.split()[0], "python-dwca-reader", version("python-dwca-reader"))
with DwCAReader("archive") as archive:
    names = [row.data[qualname("scientificName")] for row in archive]
    print("files of the core:", archive.core_file_location)
    print("taxa read:", names)
assert names == ["Animalia", "Puma"]
PY
echo "Behaviour as described."
