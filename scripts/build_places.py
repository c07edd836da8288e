"""Write the vocabularies of cities, streets and districts: `python scripts/build_places.py`.

Cities are the larger ones of each area code, with their people (IBGE, Censo 2022, in thousands) and five-digit
beginnings of CEPs that lie inside the city's range (Correios; the whole range, or a part of it that is surely the
city's). Streets and districts are composed of words that Brazilian streets and districts are commonly called by, and
of made-up people.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from seed_pipelines.domain.brazil import names
from seed_pipelines.domain.brazil.states import STATES

TARGET: Final = Path(__file__).parents[1] / "seed_pipelines" / "domain" / "brazil" / "data"

CITIES: Final = {
    "SP": """
        11 São Paulo 11452 01000-05899; 11 Guarulhos 1292 07000-07299; 11 São Bernardo do Campo 811 09600-09899
        11 Santo André 749 09000-09299; 11 Osasco 729 06000-06299; 11 Mogi das Cruzes 451 08700-08799
        11 Jundiaí 443 13200-13219; 11 Mauá 418 09300-09399; 11 Diadema 393 09900-09999
        12 São José dos Campos 697 12200-12249; 12 Taubaté 311 12000-12099
        13 Santos 418 11000-11099; 13 Praia Grande 349 11700-11729; 13 São Vicente 330 11300-11399
        14 Bauru 379 17000-17099; 14 Marília 237 17500-17529; 15 Sorocaba 724 18000-18109
        16 Ribeirão Preto 699 14000-14109; 16 Franca 353 14400-14414
        17 São José do Rio Preto 480 15000-15099
        18 Presidente Prudente 225 19000-19099; 18 Araçatuba 200 16000-16099
        19 Campinas 1139 13000-13139; 19 Piracicaba 423 13400-13439; 19 Limeira 292 13480-13489
    """,
    "RJ": """
        21 Rio de Janeiro 6211 20000-23799; 21 São Gonçalo 897 24400-24799; 21 Duque de Caxias 808 25000-25299
        21 Nova Iguaçu 786 26200-26299; 21 Belford Roxo 483 26100-26199; 21 Niterói 481 24000-24399
        21 São João de Meriti 441 25500-25599; 22 Campos dos Goytacazes 484 28000-28099
        22 Macaé 246 27900-27979; 22 Cabo Frio 222 28900-28929
        24 Petrópolis 279 25600-25779; 24 Volta Redonda 262 27200-27299
    """,
    "ES": """
        27 Vitória 323 29000-29099; 27 Serra 521 29160-29179; 27 Vila Velha 468 29100-29129
        27 Cariacica 353 29140-29159; 27 Linhares 167 29900-29919; 28 Cachoeiro de Itapemirim 186 29300-29319
    """,
    "MG": """
        31 Belo Horizonte 2316 30000-31999; 31 Contagem 622 32000-32399; 31 Betim 411 32600-32699
        31 Ribeirão das Neves 330 33800-33899; 31 Ipatinga 228 35160-35164; 31 Sete Lagoas 227 35700-35703
        32 Juiz de Fora 541 36000-36099; 33 Governador Valadares 257 35000-35099; 33 Teófilo Otoni 137 39800-39809
        34 Uberlândia 713 38400-38419; 34 Uberaba 338 38000-38099
        35 Poços de Caldas 164 37700-37719; 35 Pouso Alegre 152 37550-37559; 35 Varginha 136 37000-37099
        37 Divinópolis 231 35500-35504; 38 Montes Claros 414 39400-39409
    """,
    "BA": """
        71 Salvador 2418 40000-41999; 71 Camaçari 300 42800-42829; 71 Lauro de Freitas 204 42700-42729
        73 Itabuna 187 45600-45609; 73 Ilhéus 179 45650-45659; 74 Juazeiro 238 48900-48909
        75 Feira de Santana 616 44000-44099
        77 Vitória da Conquista 371 45000-45099; 77 Barreiras 160 47800-47809
    """,
    "SE": """
        79 Aracaju 603 49000-49099; 79 Nossa Senhora do Socorro 193 49160-49160; 79 Itabaiana 103 49500-49509
        79 Lagarto 101 49400-49400; 79 São Cristóvão 95 49100-49100; 79 Estância 65 49200-49200
    """,
    "PE": """
        81 Recife 1489 50000-52999; 81 Jaboatão dos Guararapes 644 54000-54499; 81 Caruaru 378 55000-55099
        81 Olinda 349 53000-53299; 81 Paulista 342 53400-53439; 81 Cabo de Santo Agostinho 204 54500-54519
        87 Petrolina 387 56300-56339; 87 Garanhuns 142 55290-55299
    """,
    "AL": """
        82 Maceió 958 57000-57099; 82 Arapiraca 235 57300-57319; 82 Rio Largo 94 57100-57100
        82 Palmeira dos Índios 71 57600-57609; 82 União dos Palmares 59 57800-57800; 82 Penedo 59 57200-57200
    """,
    "PB": """
        83 João Pessoa 834 58000-58099; 83 Campina Grande 419 58400-58439; 83 Santa Rita 150 58300-58303
        83 Patos 103 58700-58709; 83 Bayeux 83 58305-58309; 83 Sousa 67 58800-58809
    """,
    "RN": """
        84 Natal 751 59000-59139; 84 Mossoró 265 59600-59639; 84 Parnamirim 253 59140-59159
        84 São Gonçalo do Amarante 115 59290-59294; 84 Macaíba 82 59280-59280; 84 Caicó 61 59300-59300
    """,
    "CE": """
        85 Fortaleza 2429 60000-60999; 85 Caucaia 356 61600-61639; 85 Maracanaú 234 61900-61939
        88 Juazeiro do Norte 286 63000-63049; 88 Sobral 203 62010-62059; 88 Crato 131 63100-63129
        88 Itapipoca 131 62500-62500
    """,
    "PI": """
        86 Teresina 866 64000-64099; 86 Parnaíba 162 64200-64219; 86 Piripiri 66 64260-64260
        89 Picos 83 64600-64608; 89 Floriano 62 64800-64808
    """,
    "MA": """
        98 São Luís 1037 65000-65099; 98 São José de Ribamar 244 65110-65110
        99 Imperatriz 273 65900-65919; 99 Timon 174 65630-65639; 99 Caxias 156 65600-65609
        99 Codó 114 65400-65400
    """,
    "PA": """
        91 Belém 1303 66000-66999; 91 Ananindeua 478 67000-67199; 91 Castanhal 192 68740-68748
        91 Abaetetuba 158 68440-68440; 93 Santarém 331 68000-68099; 93 Altamira 126 68370-68377
        94 Parauapebas 267 68515-68515; 94 Marabá 266 68500-68514
    """,
    "AP": """
        96 Macapá 442 68900-68914; 96 Santana 107 68925-68928; 96 Laranjal do Jari 35 68920-68920
        96 Oiapoque 27 68980-68980; 96 Porto Grande 17 68997-68997
    """,
    "AM": """
        92 Manaus 2063 69000-69099; 92 Itacoatiara 103 69100-69100; 92 Manacapuru 101 69400-69400
        92 Parintins 96 69150-69153; 97 Coari 70 69460-69460; 97 Tabatinga 66 69640-69640
    """,
    "RR": """
        95 Boa Vista 413 69300-69339; 95 Rorainópolis 32 69373-69373; 95 Caracaraí 20 69360-69360
        95 Pacaraima 19 69345-69345; 95 Mucajaí 18 69340-69340
    """,
    "AC": """
        68 Rio Branco 365 69900-69920; 68 Cruzeiro do Sul 92 69980-69980; 68 Tarauacá 44 69970-69970
        68 Sena Madureira 41 69940-69940; 68 Feijó 35 69960-69960
    """,
    "DF": """
        61 Brasília 2817 70000-72799
    """,
    "GO": """
        61 Águas Lindas de Goiás 225 72910-72929; 61 Luziânia 209 72800-72859
        61 Valparaíso de Goiás 198 72870-72879; 62 Goiânia 1437 74000-74899
        62 Aparecida de Goiânia 527 74900-74999; 62 Anápolis 398 75000-75139; 62 Trindade 142 75380-75399
        64 Rio Verde 225 75900-75919; 64 Itumbiara 107 75500-75529
    """,
    "RO": """
        69 Porto Velho 461 76800-76829; 69 Ji-Paraná 124 76900-76914; 69 Ariquemes 97 76870-76879
        69 Vilhena 96 76980-76988; 69 Cacoal 87 76960-76968
    """,
    "TO": """
        63 Palmas 302 77000-77199; 63 Araguaína 171 77800-77829; 63 Gurupi 85 77400-77439
        63 Porto Nacional 64 77500-77500; 63 Paraíso do Tocantins 52 77600-77600
    """,
    "MT": """
        65 Cuiabá 651 78000-78099; 65 Várzea Grande 300 78110-78159; 65 Tangará da Serra 106 78300-78300
        66 Rondonópolis 245 78700-78749; 66 Sinop 196 78550-78559; 66 Sorriso 111 78890-78899
    """,
    "MS": """
        67 Campo Grande 898 79000-79129; 67 Dourados 243 79800-79839; 67 Três Lagoas 132 79600-79639
        67 Corumbá 96 79300-79339; 67 Ponta Porã 92 79900-79907
    """,
    "PR": """
        41 Curitiba 1774 80000-82999; 41 São José dos Pinhais 329 83000-83099; 41 Colombo 232 83400-83419
        42 Ponta Grossa 358 84000-84099; 42 Guarapuava 182 85000-85099; 43 Londrina 556 86000-86099
        44 Maringá 410 87000-87099; 45 Cascavel 348 85800-85819; 45 Foz do Iguaçu 285 85850-85869
        46 Francisco Beltrão 96 85600-85607; 46 Pato Branco 91 85500-85509
    """,
    "SC": """
        47 Joinville 616 89200-89239; 47 Blumenau 361 89000-89099; 47 Itajaí 264 88300-88319
        48 Florianópolis 537 88000-88099; 48 São José 270 88100-88119; 48 Palhoça 223 88130-88139
        48 Criciúma 215 88800-88819; 49 Chapecó 255 89800-89815; 49 Lages 165 88500-88529
    """,
    "RS": """
        51 Porto Alegre 1333 90000-91999; 51 Canoas 347 92000-92399; 51 Gravataí 265 94000-94099
        51 Novo Hamburgo 228 93300-93499; 51 São Leopoldo 217 93000-93099
        53 Pelotas 326 96000-96099; 53 Rio Grande 192 96200-96219; 54 Caxias do Sul 463 95000-95099
        54 Passo Fundo 206 99000-99099; 55 Santa Maria 272 97000-97099
    """,
}
"""State -> area code, name, thousands of people, first and last beginning of its CEPs."""

FLOWERS: Final = {
    "das": "Acácias Açucenas Azaleias Begônias Bromélias Camélias Dálias Flores Gardênias Hortênsias Magnólias"
    " Margaridas Orquídeas Palmeiras Petúnias Rosas Samambaias Tulipas Violetas Figueiras Laranjeiras Mangueiras"
    " Oliveiras Paineiras Araucárias",
    "dos": "Antúrios Crisântemos Cravos Gerânios Girassóis Ipês Jacarandás Jasmins Lírios Manacás Cedros Coqueiros"
    " Eucaliptos Flamboyants Jatobás Pinheiros Buritis Cajueiros Juazeiros Umbuzeiros",
}
BIRDS: Final = {
    "das": "Andorinhas Araras Cotovias Garças Gaivotas Jandaias Patativas Seriemas",
    "dos": "Beija-Flores Bem-te-vis Canários Colibris Curiós Pardais Pintassilgos Rouxinóis Sabiás Tucanos",
}
STONES: Final = {
    "das": "Esmeraldas Turmalinas Ametistas Pérolas",
    "dos": "Diamantes Rubis Topázios Cristais",
}
REGIONS: Final = (
    "Acre|Alagoas|Amapá|Amazonas|Bahia|Ceará|Espírito Santo|Goiás|Maranhão|Mato Grosso|Minas Gerais|Pará|Paraíba|Paraná|"
    "Pernambuco|Piauí|Rio de Janeiro|Rio Grande do Norte|Rio Grande do Sul|Rondônia|Roraima|Santa Catarina|São Paulo|"
    "Sergipe|Tocantins"
)
DATES: Final = (
    "Primeiro de Maio|Sete de Setembro|Quinze de Novembro|Treze de Maio|Vinte e Um de Abril|Doze de Outubro|"
    "Nove de Julho|Dois de Julho|Vinte e Cinco de Março|Dezenove de Novembro|Três de Outubro|"
    "Vinte e Quatro de Outubro"
)
FIGURES: Final = (
    "Tiradentes|Dom Pedro I|Dom Pedro II|Princesa Isabel|Duque de Caxias|Marechal Deodoro|Marechal Floriano|"
    "Barão do Rio Branco|Visconde de Mauá|Rui Barbosa|Joaquim Nabuco|José do Patrocínio|Castro Alves|"
    "Gonçalves Dias|Machado de Assis|José de Alencar|Olavo Bilac|Euclides da Cunha|Santos Dumont|Oswaldo Cruz|"
    "Carlos Gomes|Getúlio Vargas|Juscelino Kubitschek|Anita Garibaldi|Padre Anchieta|Zumbi dos Palmares|"
    "Chiquinha Gonzaga|Cecília Meireles|Monteiro Lobato|Vital Brasil"
)
SAINTS: Final = (
    "São José|São João|São Pedro|São Francisco|São Sebastião|São Jorge|Santo Antônio|Santa Luzia|Santa Rita|"
    "Santa Teresinha|Santa Clara|Nossa Senhora Aparecida|Nossa Senhora de Fátima|Bom Jesus"
)
IDEAS: Final = (
    "da Independência|da Liberdade|da República|da Paz|da Saudade|da Matriz|da Estação|do Comércio|do Contorno|"
    "das Nações|das Indústrias|dos Estados|dos Trabalhadores|Brasil|Central|Beira-Rio|Boa Vista|Bela Vista"
)
PEOPLE: Final = 300
"""Made-up people that streets are called after."""
STEPS: Final = (37, 53)
"""Steps through the given names and surnames, in no common measure with how many there are."""

DISTRICTS: Final = (
    "Centro|Aeroporto|Alto da Boa Vista|Alvorada|Bela Vista|Boa Esperança|Boa Vista|Bom Jesus|Cidade Nova|Cruzeiro|"
    "Distrito Industrial|Esperança|Floresta|Industrial|Liberdade|Nova Esperança|Novo Horizonte|Planalto|Primavera|"
    "Progresso|Santa Cruz|Santa Helena|Santa Luzia|Santa Maria|Santa Mônica|Santo Antônio|São Cristóvão|São Francisco|"
    "São João|São Jorge|São José|São Judas Tadeu|São Pedro|São Sebastião|Universitário|Vista Alegre"
)
DISTRICT_NAMES: Final = {
    "Jardim": "América|Alvorada|Aurora|Bela Vista|Botânico|Brasil|Califórnia|Esperança|Europa|Guanabara|Imperial|Ipê|"
    "Itália|Novo Mundo|Paraíso|Paulista|Petrópolis|Planalto|Primavera|Santa Rosa|São Luiz|Tropical|das Acácias|"
    "das Flores|das Palmeiras|dos Ipês|dos Pinheiros",
    "Vila": "Alegre|Aurora|Bela|Esperança|Formosa|Guarani|Industrial|Isabel|Mariana|Militar|Nova|Operária|Progresso|"
    "Real|Rica|Rosa|Santa Clara|Santana|São Pedro|Verde|das Mercês|dos Remédios",
    "Parque": "Alvorada|Amazonas|Brasil|Continental|Industrial|Ipiranga|Novo Mundo|Residencial|Santa Fé|São Jorge|"
    "das Águas|das Laranjeiras|das Nações|dos Bandeirantes|dos Eucaliptos",
    "Conjunto": "Esperança|Habitacional|Novo Horizonte|Residencial Norte|Residencial Sul",
    "Residencial": "Bela Vista|Bosque|Monte Verde|Parque das Árvores|Vale do Sol",
}


def cities() -> Iterator[tuple[str, ...]]:
    """State, name, area code, thousands of people, first and last beginning of the CEPs; by area code and name."""
    found = []
    for state, text in CITIES.items():
        for entry in text.replace("\n", ";").split(";"):
            if entry.strip():
                area, *name, population, prefixes = entry.split()
                found.append((area, " ".join(name), state, population, *prefixes.split("-")))
    for area, name, state, population, first, last in sorted(found):
        yield state, name, area, population, first, last


def refuse_wrong_ranges(rows: Iterable[tuple[str, ...]]) -> None:
    """ValueError where a city's CEPs lie outside its state's, or two cities share some."""
    end = 0
    for state, name, _, _, first, last in sorted(rows, key=lambda row: row[4]):
        if not any(low <= int(first) <= int(last) <= high for low, high in STATES[state].prefixes):
            raise ValueError(f"{name}: {first}-{last} is not a range of {state}")
        if int(first) <= end:
            raise ValueError(f"{name}: {first} belongs to another city")
        end = int(last)


def with_articles(words: dict[str, str]) -> list[str]:
    """Plurals after their contracted article: "das Acácias"."""
    return [f"{article} {word}" for article, listed in words.items() for word in listed.split()]


def made_up_people() -> Iterator[str]:
    """Given names and surnames, each next one a step on."""
    given, surnames = names.given_names().to_pylist(), names.surnames().to_pylist()
    for number in range(PEOPLE):
        yield f"{given[number * STEPS[0] % len(given)]} {surnames[number * STEPS[1] % len(surnames)]}"


def streets() -> list[str]:
    """Streets by code point: most are a Rua, fewer an Avenida, some another kind."""
    flowers, birds, stones = map(with_articles, (FLOWERS, BIRDS, STONES))
    states, dates, figures, saints, ideas = (text.split("|") for text in (REGIONS, DATES, FIGURES, SAINTS, IDEAS))
    kinds = {
        "Rua": (*flowers, *birds, *stones, *states, *dates, *figures, *saints, *ideas, *made_up_people()),
        "Avenida": (*states, *dates, *figures, *ideas, *flowers[:6]),
        "Travessa": (*saints, *birds, *figures[::3]),
        "Alameda": (*flowers, *stones),
        "Praça": (*saints[::2], *dates[::2], *figures[::2], *ideas[:6]),
    }
    return sorted({f"{kind} {name}" for kind, listed in kinds.items() for name in listed})


def districts() -> list[str]:
    """Districts by code point."""
    composed = {f"{kind} {name}" for kind, listed in DISTRICT_NAMES.items() for name in listed.split("|")}
    return sorted({*DISTRICTS.split("|"), *composed})


def write(name: str, origin: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Write one table of tab-separated values under a header that says where it comes from."""
    with (TARGET / name).open("w", encoding="utf-8", newline="") as file:
        file.write(f"# origin: {origin}\n")
        file.write("# written by scripts/build_places.py; an edit by hand is lost\n")
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([columns, *rows])


def main() -> None:
    """Write the tables."""
    found = list(cities())
    refuse_wrong_ranges(found)
    origin = (
        "IBGE, Censo 2022 (people, in thousands, rounded); Correios (CEPs, some cities in part); Anatel (area codes)"
    )
    write("cities.v1.tsv", origin, ("state", "name", "area_code", "population", "first", "last"), found)
    write("streets.v1.tsv", "composed of common words and made-up people", ("name",), [(name,) for name in streets()])
    write("districts.v1.tsv", "composed of common words", ("name",), [(name,) for name in districts()])


if __name__ == "__main__":
    main()
