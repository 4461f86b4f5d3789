# %% [markdown] lang="en"
# # 4. The competition
#
# Pictures in folders, a baseline, a first submission, and what a leaderboard can and cannot tell. A team can take this notebook over: change the folder in the next cell.

# %% [markdown] lang="ja"
# # 4. コンペ
#
# フォルダの画像、ベースライン、最初の提出、そして順位表からわかることとわからないこと。チームでこのノートを引き継げます: 次のセルのフォルダを変えてください。

# %% tags=["install"]
# %pip install -q "honshi[photos] @ git+https://github.com/honshi-dev/honshi" "torch>=2.6"

# %%
from pathlib import Path

import torch
from PIL import Image

import honshi

DATA = Path("competition")  # class folders in train/, pictures without labels in test/

# %% [markdown] lang="en"
# So that it runs anywhere, we make a small competition of MNIST: pictures in `train/CLASS/`, and a `test/` folder whose labels only the organisers have.

# %% [markdown] lang="ja"
# どこでも動くように、MNIST から小さなコンペを作ります: `train/クラス/` の画像と、ラベルを主催者だけが持つ `test/` フォルダ。

# %%
mnist = honshi.load("mnist", subset=1500)
secret = {}
if not DATA.exists():
    for place in range(1500):
        folder = DATA / "train" / str(int(mnist.train.labels[place]))
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mnist.train.pixels[place, 0].numpy()).save(folder / f"{place:05}.png")
    (DATA / "test").mkdir()
    for place in range(600):
        Image.fromarray(mnist.val.pixels[place, 0].numpy()).save(DATA / "test" / f"{place:05}.png")
        secret[f"{place:05}"] = str(int(mnist.val.labels[place]))

# %% [markdown] lang="en"
# ## Look at the data first
#
# `honshi.load` says what it took them for. The test folder has no labels, so there is no exam: validation is all that we have, and we must not wear it out.

# %% [markdown] lang="ja"
# ## まずデータを見る
#
# `honshi.load` はデータを何として読んだかを述べます。テストフォルダにラベルがないので本試はありません。検証データだけが頼りで、擦り減らしてはいけません。

# %%
splits = honshi.load(str(DATA))
for told in splits.told:
    print(told.about, ":", *told.texts)
splits

# %% [markdown] lang="en"
# ## A baseline
#
# First the dumbest answer (the most frequent class), then a good small network with its recipe. `Experiment` is what `honshi train` does.

# %% [markdown] lang="ja"
# ## ベースライン
#
# まず最も単純な答え (最も多いクラス)、次に良い小さなネットワークをレシピのまま。`Experiment` は `honshi train` がすることです。

# %%
counts = splits.train.class_counts()
print(f"always the most frequent class: {max(counts) / sum(counts):.1%}")

recipe = honshi.Recipe.read("cnn").changed({"data.source": str(DATA), "training.epochs": 4})
experiment = honshi.Experiment.build(recipe)
run = honshi.Run.create(experiment.recipe)
result = experiment.train(run)
result

# %%
found = honshi.evaluate(experiment.model, experiment.splits.val)
found

# %% [markdown] lang="en"
# ## The first submission
#
# On the command line it is one line: `honshi predict latest competition/test --csv submission.csv --columns id,label`.

# %% [markdown] lang="ja"
# ## 最初の提出
#
# コマンドなら 1 行です: `honshi predict latest competition/test --csv submission.csv --columns id,label`。

# %%
pictures = sorted((DATA / "test").glob("*.png"))
model = run.model()
rows = [(picture.stem, honshi.predict(model, picture).label) for picture in pictures]
Path("submission.csv").write_text("id,label\n" + "".join(f"{id},{label}\n" for id, label in rows))
print(Path("submission.csv").read_text()[:60], "…", len(rows), "rows")

# %% [markdown] lang="en"
# ## What a leaderboard tells
#
# A public leaderboard is a score on a part of the test pictures. With 180 of them, 95 % right may be anything from 91 % to 97 %: most differences between teams are luck, and who submits often and keeps the best climbs by luck too. Trust your own validation, and submit the model that is best there.

# %% [markdown] lang="ja"
# ## 順位表からわかること
#
# 公開の順位表は、テスト画像の一部での点数です。180 枚なら 95 % の正解は 91 % から 97 % のどこでもありえます。チームの差の多くは運で、何度も提出して最良を残せば運でも順位は上がります。自分の検証データを信じ、そこで最良のモデルを提出してください。

# %%
from honshi.evaluation.intervals import wilson

if secret:
    right = torch.tensor([label == secret[id] for id, label in rows])
    public, private = right[:180], right[180:]
    for name, part in (("public", public), ("private", private)):
        lower, upper = wilson(int(part.sum()), len(part))
        print(f"{name:>8}: {part.float().mean():.1%} ({lower:.1%} to {upper:.1%}, n = {len(part)})")
print(f"validation: {found.accuracy:.1%} ({found.interval[0]:.1%} to {found.interval[1]:.1%}, n = {found.n})")

# %% [markdown] lang="en"
# From here: `honshi diagnose latest` says what to try, `honshi improve latest` tries it and keeps what helps by more than chance, `honshi tune` searches, and photographs get a pretrained backbone by themselves (`honshi train my-photographs`).

# %% [markdown] lang="ja"
# この先: `honshi diagnose latest` は試すべきことを述べ、`honshi improve latest` はそれを試して偶然を超えるものを残し、`honshi tune` は探索します。写真には自動的に学習済みのバックボーンを使います (`honshi train my-photographs`)。
